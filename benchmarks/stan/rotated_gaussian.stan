data {
  int<lower=1> D;
  matrix[D, D] precision;
  matrix[2, D] ends;
}
parameters {
  vector[D] x;
}
transformed parameters {
  vector[2] along = ends * x;
}
model {
  target += -0.5 * x' * (precision * x);
}
