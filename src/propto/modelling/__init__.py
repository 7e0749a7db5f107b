"""The language of models: random variables in a Python function, run forwards or conditioned on data."""
