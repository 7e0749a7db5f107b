"""The density of a conditioned model, with what follows from its variables: named values, full data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from propto.compiled import call
from propto.density import Density
from propto.modelling.calls import Declarations
from propto.modelling.conditioned import ModelProgram
from propto.names import axes_of, check_axes
from propto.programs import Values
from propto.words import describe

# Draws are computed in batches of so many numbers, and of at most so many draws.
ROWS, NUMBERS = 4096, 2_000_000


class Posterior(Density):
    """What `Model.given` returns: a `Density` that knows the rest of its model as well."""

    program: ModelProgram
    found: Declarations

    @classmethod
    def of(
        cls, program: ModelProgram, data: Any, found: Declarations, coords: Mapping[str, Any]
    ) -> Posterior:
        """Put the density of a model together with what the model declares."""
        observed = data[1]
        parts = {variable.name: variable.dims for variable in program.free if variable.is_missing_part}
        dims = {**found.dims, **parts}
        check_axes({**found.shapes, **program.shapes}, dims, coords)
        kept = {*program.shapes, *observed}
        own = {name: axes for name, axes in dims.items() if name in kept}
        posterior = cls.from_program(program, data, dims=own, coords=coords, observed=observed)
        assert isinstance(posterior, Posterior)
        posterior.found = found
        return posterior

    @property
    def derived_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the deterministic values."""
        return {name: s for name, s in self.found.shapes.items() if name not in self.found.variables}

    def derived(self, values: Mapping[str, np.ndarray]) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
        """Names of the axes, and values, of all that `det` names in the model.

        Parameters
        ----------
        values
            Draws of all variables, any number of axes before those of the variable.
        """
        shapes = self.derived_shapes
        if not shapes:
            return {}
        first = self.names[0]
        lead = values[first].shape[: values[first].ndim - len(self.shapes[first])]
        rows = {name: values[name].reshape(-1, *shape) for name, shape in self.shapes.items()}
        found = self._in_batches(rows)
        return {
            name: (axes_of(name, len(shape), self.found.dims), found[name].reshape(*lead, *shape))
            for name, shape in shapes.items()
        }

    def completed(self, values: Mapping[str, np.ndarray]) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
        """Observed variables with their missing elements drawn in, for those that have any."""
        found = {}
        for variable in filter(lambda v: v.is_missing_part, self.program.free):
            seen = np.asarray(self.observed[variable.site])
            drawn = values[variable.name]
            whole = np.broadcast_to(seen, (*drawn.shape[:-1], *seen.shape)).copy()
            whole[..., np.isnan(seen)] = drawn
            found[variable.site] = (axes_of(variable.site, seen.ndim, self.dims), whole)
        return found

    def _in_batches(self, rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The deterministic values of many draws, by one program whatever their number."""
        n = len(rows[self.names[0]])
        width = self.dim + sum(int(np.prod(shape)) for shape in self.derived_shapes.values())
        size = max(1, min(ROWS, NUMBERS // width))
        function = jax.vmap(self.program.derived, in_axes=(None, 0))
        parts = []
        for start in range(0, n, size):
            some = np.minimum(np.arange(start, start + size), n - 1)  # filled up with the last draw
            batch = {name: column[some] for name, column in rows.items()}
            part = call(("derived", self.program), function, self.data, batch)
            parts.append({name: np.asarray(value)[: n - start] for name, value in part.items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in self.derived_shapes}

    def _explain_term(self, term: str, log_terms: np.ndarray, values: Values) -> list[str]:
        """As of any density; a factor has no value of its own, and every term has a line."""
        if np.isfinite(log_terms).all():
            return []
        if term in self.found.factors:
            here = describe({name: values[name] for name in self.names})
            lines = [f"the factor {term!r} is {float(np.sum(log_terms)):g} at {here}"]
        else:
            lines = super()._explain_term(term, log_terms, values)
        return [*lines, f"  at {self.found.lines[term]}"]
