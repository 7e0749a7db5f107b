// A scale of 0 stands for a flat prior.
data {
  int<lower=0> N, K;
  matrix[N, K] X;
  array[N] int<lower=0, upper=1> y;
  real<lower=0> beta_scale;
}
parameters {
  vector[K] beta;
}
model {
  if (beta_scale > 0) beta ~ normal(0, beta_scale);
  y ~ bernoulli_logit_glm(X, 0, beta);
}
