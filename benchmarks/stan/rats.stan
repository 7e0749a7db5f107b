data {
  int<lower=0> N, Npts;
  array[Npts] int<lower=1, upper=N> rat;
  vector[Npts] x, y;
  real xbar;
}
transformed data {
  vector[Npts] age = x - xbar;
}
parameters {
  real mu_alpha, mu_beta;
  real<lower=0> sigma_y, sigma_alpha, sigma_beta;
  vector[N] alpha, beta;
}
model {
  mu_alpha ~ normal(0, 100);
  mu_beta ~ normal(0, 100);
  alpha ~ normal(mu_alpha, sigma_alpha);
  beta ~ normal(mu_beta, sigma_beta);
  y ~ normal(alpha[rat] + beta[rat] .* age, sigma_y);
}
