data {
  int<lower=0> N, J;
  array[N] int<lower=1, upper=J> group;
  vector[N] x;
  array[N] int<lower=0, upper=1> y;
}
parameters {
  real mu, beta;
  real<lower=0> tau;
  vector[J] a;
}
model {
  mu ~ normal(0, 2);
  tau ~ normal(0, 1);
  beta ~ normal(0, 1);
  a ~ normal(mu, tau);
  y ~ bernoulli_logit(a[group] + beta * x);
}
