"""A posterior up to a constant: a log density over named variables, its data, and the map from R^d."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from copy import copy
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from propto.errors import DensityError, GradientError, NameMismatchError, ShapeError
from propto.names import Coords, Dims, check_axes, check_names, listed
from propto.precision import in_double_precision
from propto.programs import SUPPORT_OF, FunctionProgram, HostFunction, Program, Values, mark_of, run_traced
from propto.supports import Support
from propto.words import NOT_TRACEABLE, describe, not_traced, shown


class Density:
    r"""A density over named variables, known up to a constant: p(x) \propto exp(log_p(x)).

    A sampler sees it as a function on R^d: a position q is mapped to the variables x = f(q) and
    log p(f(q)) + log \|det f'(q)\| is returned.

    Parameters
    ----------
    log_p
        A function of the variables, and of the data, by name. It returns one number: the log density,
        up to a constant. Written with ``jax.numpy`` it can be differentiated.
    variables
        The support of every variable by name, for instance ``{"mu": pp.real(), "tau": pp.positive()}``.
    data
        Arrays that are passed to ``log_p`` by name. They are arguments of the compiled code: new data of
        the same shape compile nothing. Arrays of JAX stay as they are, in place and precision.
    dims, coords
        Names of the axes of the variables, and labels along them, as in xarray.
    log
        False if the function returns the proportion p itself. Zeros mean "outside"; negative values and
        NaN are an error that shows the point.
    jax
        False for any other Python callable (NumPy, SciPy, a simulator). Gradient-free samplers only.

    Raises
    ------
    NameMismatchError
        The function's arguments are not the variables and data, or a name cannot be used.
    ShapeError
        The function returns an array, or ``dims`` or ``coords`` do not fit the shapes.
    DensityError
        The function cannot be traced by JAX, or data are not numbers.

    Examples
    --------
    >>> import propto as pp
    >>> posterior = pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()})
    >>> posterior.log_density(x=2.0)
    -2.0
    """

    def __init__(
        self,
        log_p: Callable[..., Any],
        variables: Mapping[str, Support],
        *,
        data: Mapping[str, Any] | None = None,
        dims: Dims | None = None,
        coords: Coords | None = None,
        log: bool = True,
        jax: bool = True,
    ) -> None:
        data = {name: as_data(f"data {name!r}", value) for name, value in (data or {}).items()}
        for name, support in variables.items():
            if not isinstance(support, Support):
                raise DensityError(f"the support of {name!r} is {support!r}; give one such as pp.real()")
        _check_arguments(log_p, tuple(variables), tuple(data))
        log_p = _hashable(log_p)
        function = log_p if jax else HostFunction.of(log_p)
        program = FunctionProgram(function, tuple(variables.items()), log)
        self._set(program, data, dims or {}, coords or {}, {})
        if jax:
            self._check_traceable()

    @classmethod
    def from_program(
        cls,
        program: Program,
        data: Any,
        *,
        dims: Dims,
        coords: Coords,
        observed: Mapping[str, Any],
    ) -> Density:
        """Build a density from its parts (what a conditioned model does)."""
        density = cls.__new__(cls)
        density._set(program, data, dims, coords, observed)
        return density

    def _set(
        self,
        program: Program,
        data: Any,
        dims: Dims,
        coords: Coords,
        observed: Mapping[str, Any],
    ) -> None:
        self.program = program
        self.data = data
        self.dims: dict[str, tuple[str, ...]] = {
            name: (axes,) if isinstance(axes, str) else tuple(axes) for name, axes in dims.items()
        }
        self.coords: dict[str, np.ndarray] = {name: np.asarray(labels) for name, labels in coords.items()}
        self.observed: dict[str, Any] = dict(observed)
        observed_shapes = {name: np.shape(value) for name, value in self.observed.items()}
        check_axes({**self.shapes, **observed_shapes}, self.dims, self.coords)

    def __repr__(self) -> str:
        variables = ", ".join(f"{name}{list(shape) if shape else ''}" for name, shape in self.shapes.items())
        return f"Density({variables}; d={self.dim})"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the variables."""
        return tuple(self.shapes)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every variable."""
        return self.program.shapes

    @property
    def dim(self) -> int:
        """Dimension d of unconstrained space."""
        return self.program.dim

    @property
    def has_gradient(self) -> bool:
        """Whether samplers that need gradients can be used."""
        return self.program.has_gradient

    def derived(self, values: Mapping[str, np.ndarray]) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
        """What else has a name and follows from draws of the variables: its axes and values.

        Parameters
        ----------
        values
            Draws of all variables, any number of axes before those of the variable.
        """
        return {}

    def completed(self, values: Mapping[str, np.ndarray]) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
        """Observed variables that have missing elements, with these drawn in: their axes and values."""
        return {}

    @in_double_precision
    def as_it_stands(self) -> Density:
        """The same density, told apart from what its function computed earlier.

        A Python function may read variables from outside. Where one of them has changed, this density
        shares no compiled code with its former self.
        """
        density = copy(self)
        density.program = self.program.marked(mark_of(self.program, self.data))
        return density

    @in_double_precision
    def log_density(self, **values: Any) -> float:
        """Log density of the variables, up to a constant.

        Parameters
        ----------
        **values
            All variables by name.

        Returns
        -------
        float
            log p; minus infinity outside the support.

        Raises
        ------
        NameMismatchError, ShapeError
            A variable is missing, unknown, or has another shape.
        DensityError
            The density is NaN there, or (``log=False``) negative, or its function raised an error.
        """
        arrays = self._check_values(values)
        with self.program.raising():
            logp = float(run_traced(self.program.log_density, self.data, arrays))
        if np.isnan(logp):
            raise DensityError(f"the density is {self.undefined} at {describe(arrays)}")
        return logp

    @in_double_precision
    def log_density_at(self, q: ArrayLike) -> float:
        """Log density at a position q of R^d, with the log-determinant of the map to the variables."""
        with self.program.raising():
            return float(run_traced(self.program.log_density_at, self.data, self._check_position(q)))

    @in_double_precision
    def gradient_at(self, q: ArrayLike) -> np.ndarray:
        """Gradient of `log_density_at`, shape (d,)."""
        if not self.has_gradient:
            raise GradientError("the density was given with jax=False: it has no gradient")
        gradient = jax.grad(self.program.log_density_at, argnums=1)
        return np.asarray(run_traced(gradient, self.data, self._check_position(q)))

    @in_double_precision
    def unpack(self, q: ArrayLike) -> dict[str, np.ndarray]:
        """The variables at a position q of R^d."""
        values = run_traced(self.program.constrain, self.data, self._check_position(q))
        return {name: np.asarray(values[name]) for name in self.names}

    @in_double_precision
    def pack(self, **values: Any) -> np.ndarray:
        """The position q of R^d of the given variables."""
        return np.asarray(run_traced(self.program.unconstrain, self.data, self._check_values(values)))

    @in_double_precision
    def explain(self, **values: Any) -> str:
        """Say which terms of the log density are not finite at a point, element by element.

        Returns
        -------
        str
            One line a term; the empty string where all are finite.
        """
        arrays = self._check_values(values)
        with self.program.raising():
            terms = run_traced(self.program.terms, self.data, arrays)
        known = {**self.observed, **arrays}
        # Variables come first: what else fails may follow from them.
        first = [term for name in self.names for term in (name, SUPPORT_OF + name) if term in terms]
        order = first + [term for term in terms if term not in first]
        lines = (self._explain_term(term, np.asarray(terms[term]), known) for term in order)
        return "\n".join(line for some in lines for line in some)

    def _explain_term(self, term: str, log_terms: np.ndarray, values: Values) -> list[str]:
        name = term.removeprefix(SUPPORT_OF)
        bad = np.argwhere(~np.isfinite(log_terms))
        lines = []
        for index in bad[:3]:
            place = tuple(int(i) for i in index)
            logp = float(log_terms[place])
            what = f"density 0 (log density {logp})" if logp == -np.inf else f"an undefined density ({logp})"
            if name not in values:
                lines.append(
                    f"the density function gives {what} at {describe({k: values[k] for k in self.names})}"
                )
                continue
            value = np.asarray(values[name])
            value = value[place] if value.ndim >= len(place) else value
            has = f"has {what}" if name == term else "is outside its support"
            lines.append(f"{name}{self._label(name, place)} = {shown(value)} {has}")
        if len(bad) > 3:
            lines.append(f"... and {len(bad) - 3} more elements of {name}")
        return lines

    def _label(self, name: str, place: tuple[int, ...]) -> str:
        """The place of an element in the user's own labels, as in ``[A]``."""
        if not place:
            return ""
        dims = self.dims.get(name, ())
        labels = [
            str(self.coords[dims[axis]][i]) if axis < len(dims) and dims[axis] in self.coords else str(i)
            for axis, i in enumerate(place)
        ]
        return f"[{', '.join(labels)}]"

    @property
    def undefined(self) -> str:
        """What no density may be."""
        return "NaN" if self.program.is_log else "negative or NaN"

    def _check_position(self, q: ArrayLike) -> Float[Array, " dim"]:
        position = jnp.asarray(q, float)
        if position.shape != (self.dim,):
            raise ShapeError(f"a position has shape {(self.dim,)}, got {position.shape}")
        return position

    def _check_values(self, values: Mapping[str, Any]) -> Values:
        check_names("variable", set(values), set(self.names))
        arrays = {name: jnp.asarray(values[name], float) for name in self.names}
        for name, value in arrays.items():
            if value.shape != self.shapes[name]:
                raise ShapeError(f"{name!r} has shape {value.shape}, expected {self.shapes[name]}")
        return arrays

    @in_double_precision
    def _check_traceable(self) -> None:
        q = jax.ShapeDtypeStruct((self.dim,), jnp.result_type(float))

        def raw(data: Any, q: Array) -> Any:
            return self.program.log_p(**self.program.constrain(data, q), **data)  # type: ignore[attr-defined]

        try:
            result = jax.eval_shape(raw, self.data, q)
        except (*NOT_TRACEABLE, TypeError) as error:
            mend = "Write it with jax.numpy, or pass jax=False to sample it without gradients."
            raise DensityError(f"{not_traced('the density function', error)}\n{mend}") from error
        if getattr(result, "shape", None) != () or jnp.issubdtype(result.dtype, jnp.complexfloating):
            join = (
                "sum over the log terms (.sum())" if self.program.is_log else "multiply the factors (.prod())"
            )
            raise ShapeError(f"the density function returned {_kind(result)}, expected one number: {join}")


def as_data(what: str, value: Any) -> Any:
    """An array from whatever the user has; arrays of JAX stay as they are (they may be sharded)."""
    if isinstance(value, jax.Array):
        return value
    if np.ma.is_masked(value):
        raise DensityError(f"{what} has masked elements: leave the missing values out")
    try:
        array = np.array(value)
    except ValueError as error:
        raise DensityError(f"{what} is not an array: {error}") from None
    if array.dtype.kind not in "biuf":
        raise DensityError(f"{what} does not hold numbers (dtype {array.dtype}); labels belong into coords")
    return array.astype(float) if array.dtype.kind == "f" else array


def _hashable(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, or, where equal ones cannot be found again, something that is equal to itself alone."""
    try:
        hash(function)
    except TypeError:
        return partial(function)
    return function


def _kind(result: Any) -> str:
    shape = getattr(result, "shape", None)
    if shape is None:
        return "nothing (None)" if result is None else f"a {type(result).__name__}"
    return f"shape {shape}" if shape else f"a number of type {result.dtype}"


def _check_arguments(function: Callable[..., Any], variables: tuple[str, ...], data: tuple[str, ...]) -> None:
    twice = sorted(set(variables) & set(data))
    if twice:
        raise NameMismatchError(f"{', '.join(map(repr, twice))} given both as a variable and as data")
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some callables written in C do not tell
        return
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    taken = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    required = {p.name for p in parameters if p.name in taken and p.default is p.empty}
    given = set(variables) | set(data)
    parts = []
    if given - taken:
        parts.append(f"it has no argument {listed(given - taken)}, which you give as a variable or as data")
    if required - given:
        parts.append(f"its argument {listed(required - given)} is neither among the variables nor the data")
    if parts:
        raise NameMismatchError(f"the density function does not fit: {'; '.join(parts)}")
