"""Which discrete variables of a conditioned model are summed out, and along which axes of its terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from propto.errors import ModelError
from propto.modelling.conditioned import ModelProgram
from propto.modelling.sites import Variable, depending
from propto.modelling.summed import Summed, check_number, with_axes
from propto.programs import Values


def with_sums(
    program: ModelProgram, data: Any, discrete: Sequence[Variable], dims: Mapping[str, tuple[str, ...]]
) -> ModelProgram:
    """The same program, knowing how discrete variables are summed out.

    Parameters
    ----------
    program, data
        The density of a model whose discrete variables are not yet known what to do with.
    discrete
        Those that are not observed, or not everywhere.
    dims
        Names of the axes of the model's variables.
    """
    if not discrete:
        return program
    q = jnp.asarray(np.random.default_rng(0).normal(size=program.dim) / 2)
    summed, ignored = _sort(program, data, q, discrete)
    check_number([one for one, _ in summed])
    program = replace(program, summed=tuple(one for one, _ in summed), ignored=ignored)

    def terms(states: Values) -> Values:
        return program.terms_of(program.at(data, q, states)[0], data[1], states)

    found = [with_axes(one, dependent, terms, dims, program.lowest()) for one, dependent in summed]
    return replace(program, summed=tuple(found))


def _sort(
    program: ModelProgram, data: Any, q: Any, discrete: Sequence[Variable]
) -> tuple[list[tuple[Summed, list[str]]], tuple[str, ...]]:
    """The variables to be summed out, with the terms that depend on them; and those that nothing needs."""
    whole = replace(program, summed=tuple(Summed(variable) for variable in discrete))
    lowest = whole.lowest()

    def declared(states: Values) -> tuple[Values, Values]:
        recorder = whole.at(data, q, states)[0]
        values = {name: recorder.values[name] for name in recorder.sites if name not in states}
        derived = {name: one.value for name, one in recorder.deterministics.items()}
        return recorder.log_terms(), {**values, **derived}

    summed, ignored = [], []
    for variable in discrete:
        name = variable.name

        def alone(state: Any, name: str = name) -> tuple[Values, Values]:
            return declared({**lowest, name: state})

        terms, values = depending(alone, lowest[name])
        dependent = [term for term, depends in terms.items() if depends]
        if name in program.observed and dependent == [name] and not any(values.values()):
            ignored.append(name)
            continue
        _require_summable(variable, [value for value, depends in values.items() if depends])
        summed.append((Summed(variable), dependent))
    return summed, tuple(ignored)


def _require_summable(variable: Variable, dependent: list[str]) -> None:
    if variable.states is None:
        raise ModelError(
            f"{variable.name!r} is discrete ({variable.family}) and not observed. Sum it out in the model "
            "function (pp.Mixture, pp.HMM), or observe it: samplers move in continuous space. Only variables "
            "with few and known values are summed out for you."
        )
    if dependent:
        raise ModelError(
            f"{dependent[0]!r} depends on {variable.name!r}, which is discrete, not observed and so summed "
            f"out: it has no one value. Leave {dependent[0]!r} out, or sum {variable.name!r} out by hand."
        )
