// A scale of 0 stands for a flat prior.
data {
  int<lower=0> N, K;
  matrix[N, K] X;
  vector[N] y;
  real<lower=0> beta_scale, cauchy_scale, normal_scale;
}
parameters {
  vector[K] beta;
  real<lower=0> sigma;
}
model {
  if (beta_scale > 0) beta ~ normal(0, beta_scale);
  if (cauchy_scale > 0) sigma ~ cauchy(0, cauchy_scale);
  if (normal_scale > 0) sigma ~ normal(0, normal_scale);
  y ~ normal_id_glm(X, 0, beta, sigma);
}
