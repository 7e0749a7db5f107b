parameters {
  real x, y;
}
model {
  x ~ normal(0, 10);
  y ~ normal(0.03 * (square(x) - 100), 1);
}
