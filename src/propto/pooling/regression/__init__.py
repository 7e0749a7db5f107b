"""Pooling with covariates, clusters or a full covariance matrix: meta-regression, solved exactly."""

from propto.pooling.regression.fit import pool_regression, regress_table
from propto.pooling.regression.result import Regression

__all__ = ["Regression", "pool_regression", "regress_table"]
