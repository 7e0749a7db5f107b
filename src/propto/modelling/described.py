"""A model in words and as a graph: what every variable is, and which others it follows from."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal, Var

from propto.modelling.calls import DATA, Call
from propto.modelling.recorder import Recorder
from propto.supports.checks import is_traced

# What JAX does to a value without changing it.
COPIES = ("broadcast_in_dim", "convert_element_type", "copy")


@dataclass(frozen=True)
class Line:
    """One declaration.

    Parameters
    ----------
    name, axes
        What is declared, and names or lengths of its axes.
    sign
        ``~`` of a random variable, ``=`` of a value that follows from others, ``*`` of a factor.
    text
        Its distribution or its value.
    parents
        Names of variables and data that it follows from.
    """

    name: str
    axes: tuple[str, ...]
    sign: str
    text: str
    parents: tuple[str, ...]

    def __str__(self) -> str:
        axes = f"[{', '.join(self.axes)}]" if self.axes else ""
        if self.sign == "*":
            return f"p ∝ exp({self.text}), the factor {self.name!r}"
        return f"{self.name}{axes} {self.sign} {self.text}"


def lines_of(call: Call, data: Sequence[Any]) -> list[Line]:
    """All declarations of a model function, in their order; its arguments are known by their names."""
    texts: dict[str, tuple[str, tuple[str, ...], str]] = {}
    values = {name: jnp.ones(v.shape, v.dtype) for name, v in _values(call, data).items()}

    def traced(values: dict[str, Any], data: Sequence[Any]) -> dict[str, list[Any]]:
        recorder = call.run(lambda site: values[site.name], data)
        found = {}
        for name in recorder.lines:
            arrays: list[Any] = []
            texts[name] = _declared(recorder, name, arrays)
            found[name] = arrays
        return found

    closed, shapes = jax.make_jaxpr(traced, return_shape=True)(values, data)
    # JAX orders dicts by their keys.
    names = [*sorted(values), *_data_names(call)]
    parents, labels = _parents(closed.jaxpr, names)
    by_name = jax.tree.unflatten(jax.tree.structure(shapes), list(zip(parents, labels, strict=True)))
    return [_line(name, *texts[name], by_name[name]) for name in texts]


def graph_of(lines: Sequence[Line]) -> str:
    """The graph of a model in the language of Graphviz; variables of the same axes share a frame."""
    known = {line.name for line in lines}
    data = sorted({parent for line in lines for parent in line.parents} - known)
    out = ["digraph model {", *(f"  {_quoted(name)} [shape=plaintext];" for name in data)]
    for axes in dict.fromkeys(line.axes for line in lines):
        nodes = [f"    {_node(line)}" for line in lines if line.axes == axes]
        frame = f"  subgraph {_quoted('cluster ' + ' '.join(axes))} {{"
        label = f"    label={_quoted(' × '.join(axes))};"
        out += [frame, label, *nodes, "  }"] if axes else nodes
    out += [f"  {_quoted(parent)} -> {_quoted(line.name)};" for line in lines for parent in line.parents]
    return "\n".join([*out, "}"])


def _node(line: Line) -> str:
    shape = {"~": "ellipse", "=": "box", "*": "diamond"}[line.sign]
    return f"{_quoted(line.name)} [shape={shape}, label={_quoted(str(line))}];"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _values(call: Call, data: Sequence[Any]) -> Mapping[str, Any]:
    """Shapes and types of the random variables."""
    found = {}

    def once(data: Sequence[Any]) -> None:
        sites = call.run(lambda site: jnp.ones(site.shape, site.dtype), data).sites
        found.update({n: jax.ShapeDtypeStruct(s.shape, jnp.result_type(s.dtype)) for n, s in sites.items()})

    jax.eval_shape(once, data)
    return found


def _declared(recorder: Recorder, name: str, arrays: list[Any]) -> tuple[str, tuple[str, ...], str]:
    """Sign, axes and text of a declaration; traced values join ``arrays`` and leave ⟨their place⟩."""
    if name in recorder.sites:
        site = recorder.sites[name]
        return "~", site.dims or tuple(map(str, site.shape)), _text(site.distribution, arrays)
    if name in recorder.factors:
        return "*", (), _text(recorder.factors[name], arrays)
    one = recorder.deterministics[name]
    return "=", one.dims or tuple(map(str, one.value.shape)), _text(one.value, arrays)


def _text(value: Any, arrays: list[Any]) -> str:
    """A distribution with its parameters, a known number, or the place of a traced one."""
    if is_traced(value):
        arrays.append(value)
        return f"⟨{len(arrays) - 1}⟩"
    if hasattr(value, "log_prob"):
        inner = ", ".join(_parameters(value, arrays))
        return f"{type(value).__name__}({inner})"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_text(one, arrays) for one in value)}]"
    if isinstance(value, int):
        return str(value)
    array = np.asarray(value)
    if array.size > 6:
        return f"array of shape {array.shape}"
    return (
        np.array2string(array, precision=4, separator=", ").replace("\n", "") if array.ndim else f"{array:g}"
    )


def _parameters(distribution: Any, arrays: list[Any]) -> list[str]:
    """The parameters that were given, without their names where these are the first."""
    if is_dataclass(distribution):
        pairs = {field.name: getattr(distribution, field.name) for field in fields(distribution)}
    else:  # of NumPyro
        pairs = {name: getattr(distribution, name, None) for name in distribution.arg_constraints}
    pairs = {name: value for name, value in pairs.items() if value is not None}
    if "scale_tril" in pairs and len(pairs) > 2:
        del pairs["scale_tril"]  # filled in from another form
    places = [field.name for field in fields(distribution)] if is_dataclass(distribution) else []
    texts = {name: _text(value, arrays) for name, value in pairs.items()}
    if list(pairs) == places[: len(pairs)]:
        return list(texts.values())
    return [f"{name}={text}" for name, text in texts.items()]


def _data_names(call: Call) -> list[str]:
    """Names of the data as the model function has them."""
    parameters = list(inspect.signature(call.function).parameters)
    leaves, _ = jax.tree.flatten_with_path(jax.tree.unflatten(call.template.structure, call.template.parts))
    names = []
    for (first, *inner), part in leaves:
        if part is DATA:
            place = int(first.key) - 1 if first.key.isdigit() else None
            own = parameters[min(place, len(parameters) - 1)] if place is not None else first.key
            names.append(own + jax.tree_util.keystr(tuple(inner)))
    return names


def _parents(jaxpr: Any, names: Sequence[str]) -> tuple[list[tuple[str, ...]], list[str]]:
    """Of every output: the inputs that it follows from, and its text where it is one of them."""
    follows: dict[Var, set[str]] = {var: {name} for var, name in zip(jaxpr.invars, names, strict=True)}
    same = dict(zip(jaxpr.invars, names, strict=True))
    for equation in jaxpr.eqns:
        known = [var for var in equation.invars if isinstance(var, Var)]
        union: set[str] = set().union(*(follows.get(var, set()) for var in known))
        follows.update(dict.fromkeys(equation.outvars, union))
        if (
            equation.primitive.name in ("broadcast_in_dim", "convert_element_type", "copy")
            and len(known) == 1
        ):
            same.update({var: same[known[0]] for var in equation.outvars if known[0] in same})
    order = {name: k for k, name in enumerate(names)}
    parents, labels = [], []
    for var in jaxpr.outvars:
        found = set() if isinstance(var, Literal) else follows.get(var, set())
        parents.append(tuple(sorted(found, key=lambda name: order[name])))
        label = None if isinstance(var, Literal) else same.get(var)
        labels.append(label or (f"f({', '.join(parents[-1])})" if found else "constant"))
    return parents, labels


def _line(name: str, sign: str, axes: tuple[str, ...], text: str, arrays: list[Any]) -> Line:
    for k, (_, label) in enumerate(arrays):
        text = text.replace(f"⟨{k}⟩", label)
    parents = dict.fromkeys(parent for found, _ in arrays for parent in found)
    return Line(name, axes, sign, text, tuple(parents))
