data {
  int<lower=0> J;
  vector[J] effect_estimate;
  vector<lower=0>[J] std_estimate;
}
parameters {
  real mu;
  real<lower=0, upper=100> sigma;
  vector[J] eta;
}
transformed parameters {
  vector[J] t = mu + sigma * eta;
}
model {
  mu ~ normal(8.75, 20);
  eta ~ std_normal();
  effect_estimate ~ normal(t, std_estimate);
}
