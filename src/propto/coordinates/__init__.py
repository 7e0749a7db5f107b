"""Coordinates: the learnt map from the space in which a kernel moves to unconstrained space."""
