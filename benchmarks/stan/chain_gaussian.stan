data {
  int<lower=2> D;
  real<lower=0, upper=1> rho;
}
parameters {
  vector[D] x;
}
model {
  x[1] ~ std_normal();
  x[2 : D] ~ normal(rho * x[1 : D - 1], sqrt(1 - square(rho)));
}
