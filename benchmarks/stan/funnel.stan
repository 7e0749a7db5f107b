data {
  int<lower=2> D;
}
parameters {
  real v;
  vector[D - 1] x;
}
transformed parameters {
  real neck = v < -5;
}
model {
  v ~ normal(0, 3);
  x ~ normal(0, exp(v / 2));
}
