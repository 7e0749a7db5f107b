// Two states, written out: half the time of loops over states.
data {
  int<lower=0> N, K;
  vector[N] u, v;
  matrix<lower=0>[K, K] alpha;
  real<lower=0> tau, rho;
}
parameters {
  simplex[K] theta1, theta2;
  ordered[K] phi, lambda;
}
model {
  matrix[2, 2] move = log([theta1', theta2']);
  array[2] vector[N] emission;
  real a, b;
  for (k in 1:2)
    emission[k] = -0.5 * square((u - phi[k]) / tau) - 0.5 * square((v - lambda[k]) / rho);
  a = emission[1, 1];
  b = emission[2, 1];
  for (n in 2:N) {
    real before = a;
    a = log_sum_exp(before + move[1, 1], b + move[2, 1]) + emission[1, n];
    b = log_sum_exp(before + move[1, 2], b + move[2, 2]) + emission[2, n];
  }
  target += log_sum_exp(a, b);
  theta1 ~ dirichlet(alpha[1]');
  theta2 ~ dirichlet(alpha[2]');
  phi[1] ~ normal(0, 1);
  phi[2] ~ normal(3, 1);
  lambda[1] ~ normal(0, 1);
  lambda[2] ~ normal(3, 1);
}
