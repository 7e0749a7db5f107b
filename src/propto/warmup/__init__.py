"""Warm-up: how long its windows are and how the params of a kernel are learnt in it."""
