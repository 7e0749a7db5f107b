"""Models written in other languages, as densities."""
