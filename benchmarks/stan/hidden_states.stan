// Two states, written out: half the time of loops over states.
data {
  int<lower=0> N, K;
  vector[N] y;
}
parameters {
  simplex[K] theta1, theta2;
  ordered[K] mu;
}
model {
  matrix[2, 2] move = log([theta1', theta2']);
  array[2] vector[N] emission;
  real a, b;
  for (k in 1:2)
    emission[k] = -0.5 * square(y - mu[k]);
  a = emission[1, 1];
  b = emission[2, 1];
  for (n in 2:N) {
    real before = a;
    a = log_sum_exp(before + move[1, 1], b + move[2, 1]) + emission[1, n];
    b = log_sum_exp(before + move[1, 2], b + move[2, 2]) + emission[2, n];
  }
  target += log_sum_exp(a, b);
  mu[1] ~ normal(3, 1);
  mu[2] ~ normal(10, 1);
}
