data {
  int<lower=1> T;
  vector[T] y;
}
parameters {
  real mu, phi, theta;
  real<lower=0> sigma;
}
model {
  vector[T] e;
  mu ~ normal(0, 10);
  phi ~ normal(0, 2);
  theta ~ normal(0, 2);
  sigma ~ cauchy(0, 2.5);
  e = y - mu;
  e[1] -= phi * mu;
  e[2 : T] -= phi * y[1 : T - 1];
  for (t in 2:T) e[t] -= theta * e[t - 1];
  e ~ normal(0, sigma);
}
