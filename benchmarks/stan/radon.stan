data {
  int<lower=0> N, J;
  array[N] int<lower=1, upper=J> county_idx;
  vector[N] floor_measure, log_radon;
}
parameters {
  real mu_alpha, beta;
  real<lower=0> sigma_alpha, sigma_y;
  vector[J] z;
}
transformed parameters {
  vector[J] alpha = mu_alpha + sigma_alpha * z;
}
model {
  mu_alpha ~ normal(0, 10);
  beta ~ normal(0, 10);
  sigma_alpha ~ normal(0, 1);
  sigma_y ~ normal(0, 1);
  z ~ std_normal();
  log_radon ~ normal(alpha[county_idx] + beta * floor_measure, sigma_y);
}
