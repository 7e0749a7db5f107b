"""The pooling model of a table of estimates with standard errors: exact engine, priors, tables and MCMC."""
