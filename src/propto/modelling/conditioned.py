"""The density of a conditioned model, as a program: its function, run at a position with data put in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from propto.errors import ModelError
from propto.modelling.calls import Call
from propto.modelling.recorder import Recorder
from propto.modelling.sites import Site, Variable, depending
from propto.modelling.summed import Summed, log_sum, tabulate
from propto.programs import Program, Values
from propto.supports import Support

LOG_DET = "log-determinant"

# The value of a free variable, or of the missing elements of an observed one, from its support.
Take = Callable[[Variable, Support], Any]


@dataclass(frozen=True)
class ModelProgram:
    """The density of a model's unobserved variables; its data are (arguments, observed values).

    Parameters
    ----------
    call
        The model function and the shapes known.
    observed
        Names of the observed variables; their NaN are missing.
    free
        The others in the order in which the function declares them, and what is missing of observed ones.
    centred
        Names of those in location-scale layers: of a location or a scale that depends on other free ones.
    summed
        Discrete variables, unobserved or with missing elements, that are summed out.
    ignored
        Observed discrete variables of whose missing elements nothing depends: their probabilities sum to 1.
    mark
        What the function computes, where that is known.
    """

    call: Call
    observed: tuple[str, ...]
    free: tuple[Variable, ...]
    centred: tuple[str, ...] = ()
    summed: tuple[Summed, ...] = ()
    ignored: tuple[str, ...] = ()
    mark: str = ""

    has_gradient: ClassVar[bool] = True
    is_log: ClassVar[bool] = True

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {variable.name: variable.shape for variable in self.free}

    @property
    def dim(self) -> int:
        return sum(variable.size for variable in self.free)

    def log_density_at(self, data: Any, q: Float[Array, " dim"]) -> Float[Array, ""]:
        return self._total(data, lambda states: self.at(data, q, states))

    def log_prior_at(self, data: Any, q: Float[Array, " dim"]) -> Float[Array, ""]:
        """Log density of the free variables alone, each given what was declared before it."""
        self._require_no_sums()
        recorder, log_det = self.at(data, q)
        terms = recorder.log_terms()
        for variable in filter(lambda v: v.is_missing_part, self.free):
            observed = jnp.asarray(data[1][variable.site])
            terms[variable.name] = jnp.where(jnp.isnan(observed), terms[variable.site], 0.0)
        return sum((jnp.sum(terms[name]) for name in self.shapes), start=log_det)

    def draw_prior(self, data: Any, key: Array) -> Float[Array, " dim"]:
        """The position of a draw of the free variables, observed ones being as they are."""
        self._require_no_sums()
        arguments, observed = data
        keys = dict(zip(self.shapes, jax.random.split(key, len(self.free)), strict=True))
        values = {}

        def choose(site: Site) -> Any:
            def take(variable: Variable, _: Support) -> Any:
                draw = site.sample(keys[variable.name])
                missing = self._places(observed, variable) if variable.is_missing_part else ...
                values[variable.name] = jnp.ravel(draw)[missing] if variable.is_missing_part else draw
                return values[variable.name]

            return self._value(site, observed, take, {})

        self.call.run(choose, arguments)
        return self.unconstrain(data, values)

    @property
    def layers(self) -> np.ndarray:
        parts = [np.full(variable.size, variable.name in self.centred) for variable in self.free]
        return np.concatenate([np.zeros(0, bool), *parts])

    def uncentre(self, data: Any, x: Any, centring: Any) -> tuple[Any, Any]:
        shares, log_det = self._split(centring), [jnp.zeros((), x.dtype)]

        def whole(site: Site, x: Array) -> tuple[Array, Array]:
            if site.name not in self.centred:
                return x, x
            share, (m, s) = shares[site.name], site.layer()
            q = m + s ** (1 - share) * (x - share * m)
            log_det.append(jnp.sum((1 - share) * jnp.log(s)))
            return q, q

        return self._changed(data, x, whole), sum(log_det[1:], start=log_det[0])

    def centre(self, data: Any, q: Any, centring: Any) -> Any:
        shares = self._split(centring)

        def part(site: Site, q: Array) -> tuple[Array, Array]:
            if site.name not in self.centred:
                return q, q
            share, (m, s) = shares[site.name], site.layer()
            return share * m + s ** (share - 1) * (q - m), q

        return self._changed(data, q, part)

    def _changed(self, data: Any, elements: Any, change: Callable[[Site, Array], tuple[Array, Array]]) -> Any:
        """Change the elements of one site after the other, each by the values of the sites before.

        ``change`` gives the new elements of a site, and its position, from which its value follows.
        """
        if not self.centred:
            return elements
        arguments, observed = data
        parts = self._split(elements)

        def choose(site: Site) -> Any:
            def take(variable: Variable, support: Support) -> Any:
                parts[variable.name], position = change(site, parts[variable.name])
                return support.forward_and_log_det(position)[0]

            return self._value(site, observed, take, {})

        self.call.run(choose, arguments)
        return jnp.concatenate([jnp.ravel(parts[variable.name]) for variable in self.free])

    def with_layers(self, data: Any) -> ModelProgram:
        """The same program, knowing its location-scale layers."""

        def layers(q: Array, states: Values) -> dict[str, Any]:
            sites = self.at(data, q, states)[0].sites
            names = (variable.name for variable in self.free if not variable.is_missing_part)
            pairs = {name: sites[name].location_scale() for name in names}
            return {name: pair for name, pair in pairs.items() if pair is not None}

        q, states = jnp.zeros(self.dim), self.lowest()
        by_q = depending(lambda q: layers(q, states), q)
        # A layer that is another one in every state has no one coordinate in which it is centred.
        by_state = depending(lambda states: layers(q, states), states)
        centred = tuple(name for name in by_q if any(by_q[name]) and not any(by_state[name]))
        return replace(self, centred=centred)

    def constrain(self, data: Any, q: Float[Array, " dim"]) -> Values:
        values: Values = {}
        positions = self._split(q)

        def take(variable: Variable, support: Support) -> Any:
            values[variable.name] = support.forward_and_log_det(positions[variable.name])[0]
            return values[variable.name]

        self._run(data, take, self.lowest())
        return values

    def at(
        self, data: Any, q: Float[Array, " dim"], states: Values | None = None
    ) -> tuple[Recorder, Float[Array, ""]]:
        """Run the model at a position; the supports may depend on variables declared before."""
        positions = self._split(q)
        log_dets = []

        def take(variable: Variable, support: Support) -> Any:
            value, log_det = support.forward_and_log_det(positions[variable.name])
            log_dets.append(log_det)
            return value

        recorder = self._run(data, take, states or {})
        return recorder, sum(log_dets, start=jnp.zeros((), q.dtype))

    def _run(self, data: Any, take: Take, states: Values) -> Recorder:
        arguments, observed = data
        return self.call.run(lambda site: self._value(site, observed, take, states), arguments)

    def _value(self, site: Site, observed: Values, take: Take, states: Values) -> Any:
        """The value of a site: observed, in a state that is summed over, or free; in whole or in part."""
        value: Any = jnp.asarray(observed[site.name]) if site.name in observed else jnp.nan
        if site.name in self.ignored:
            anything = site.support.lower  # type: ignore[attr-defined]
            return jnp.where(jnp.isnan(value), jnp.asarray(anything), value)
        if any(site.name == one.name for one in self.summed):
            state = jnp.asarray(states.get(site.name, self.lowest()[site.name]))
            return jnp.where(jnp.isnan(value), jnp.broadcast_to(state, site.shape), value).astype(int)
        free = next((variable for variable in self.free if variable.site == site.name), None)
        if free is None:
            return value
        if not free.is_missing_part:
            return take(free, site.support)
        places = self._places(observed, free)
        return jnp.ravel(value).at[places].set(take(free, site.support.at(places))).reshape(site.shape)

    def _places(self, observed: Values, variable: Variable) -> Array:
        """Where in the observed values, taken as one row, the missing elements are."""
        is_missing = jnp.isnan(jnp.ravel(jnp.asarray(observed[variable.site])))
        return jnp.nonzero(is_missing, size=variable.size)[0]

    def terms_of(self, recorder: Recorder, observed: Values, states: Values) -> Values:
        """The additive terms of the log density; what is observed has one state, and not all of them."""
        terms = recorder.log_terms()
        for name in self.ignored:
            terms[name] = jnp.where(jnp.isnan(jnp.asarray(observed[name])), 0.0, terms[name])
        for one in self.summed:
            if one.name in observed:
                is_other = ~jnp.isnan(jnp.asarray(observed[one.name])) & (states[one.name] != one.states[0])
                terms[one.name] = jnp.where(is_other, -jnp.inf, terms[one.name])
        return terms

    def _total(
        self, data: Any, run: Callable[[Values], tuple[Recorder, Float[Array, ""]]]
    ) -> Float[Array, ""]:
        """The sum of all terms, and over all states of the discrete variables."""

        def terms(states: Values) -> Values:
            recorder, log_det = run(states)
            return {**self.terms_of(recorder, data[1], states), LOG_DET: log_det}

        if self.summed:
            return log_sum(self.summed, terms)
        found = terms({})
        log_det = found.pop(LOG_DET)
        total = jnp.zeros((), jnp.result_type(float))
        for term in found.values():
            total += jnp.sum(term)
        return total + log_det

    def lowest(self) -> Values:
        """The lowest state of every summed variable."""
        return {
            one.name: jnp.full(one.variable.shape, one.variable.states[0] if one.variable.states else 0)
            for one in self.summed
        }

    def _require_no_sums(self) -> None:
        if self.summed:
            raise ModelError(
                "the prior of a model with summed-out variables has no draws of its own here; "
                "write the sum in the model function (pp.Mixture, pp.HMM)"
            )

    def _split(self, q: Float[Array, " dim"]) -> Values:
        positions, start = {}, 0
        for variable in self.free:
            part = q[start : start + variable.size]
            positions[variable.name] = part.reshape(variable.free_shape or ())
            start += variable.size
        return positions

    def log_density(self, data: Any, values: Values) -> Float[Array, ""]:
        inside = [jnp.array(True)]

        def take(variable: Variable, support: Support) -> Any:
            inside.append(support.contains(values[variable.name]))
            return values[variable.name]

        self._run(data, take, self.lowest())
        total = self._total(data, lambda states: (self._given(data, values, states), jnp.zeros(())))
        return jnp.where(jnp.all(jnp.stack(inside)), total, -jnp.inf)

    def terms(self, data: Any, values: Values) -> Values:
        def terms(states: Values) -> Values:
            return self.terms_of(self._given(data, values, states), data[1], states)

        if not self.summed:
            return terms({})
        axes = tuple(range(len(self.summed)))
        return {name: jnp.max(table, axis=axes) for name, table in tabulate(self.summed, terms).items()}

    def derived(self, data: Any, values: Values) -> Values:
        """The deterministic values that follow from those of the variables."""
        named = self._given(data, values, self.lowest()).deterministics
        return {name: one.value for name, one in named.items()}

    def _given(self, data: Any, values: Values, states: Values) -> Recorder:
        return self._run(data, lambda variable, _: jnp.asarray(values[variable.name]), states)

    def unconstrain(self, data: Any, values: Values) -> Float[Array, " dim"]:
        parts: Values = {}

        def take(variable: Variable, support: Support) -> Any:
            value = jnp.asarray(values[variable.name], float)
            parts[variable.name] = jnp.ravel(support.inverse(value))
            return value

        self._run(data, take, self.lowest())
        return jnp.concatenate([jnp.zeros(0), *(parts[name] for name in self.shapes)])

    def raising(self) -> AbstractContextManager[None]:
        return nullcontext()  # nothing of a model runs outside compiled code

    def marked(self, mark: str) -> Program:
        return replace(self, mark=mark)
