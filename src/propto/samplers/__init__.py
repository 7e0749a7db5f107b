"""Samplers, one file each: what a user names, and the Markov kernel that it runs."""
