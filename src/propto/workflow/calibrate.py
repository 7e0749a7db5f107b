"""Simulation-based calibration of a user's own model: do its posteriors keep their promises?"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from propto.compiled import call
from propto.errors import ModelError, OptionError
from propto.modelling.model import Model
from propto.modelling.posterior import Posterior
from propto.names import check_names
from propto.options import LARGEST_SEED, whole
from propto.precision import in_double_precision
from propto.run.cluster import Team
from propto.run.loop import sample
from propto.run.parcels import Parcel
from propto.samplers.base import Sampler
from propto.workflow.uniform import cumulative, envelope, p_values

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd
    import xarray as xr

# Transitions after warm-up before the one draw that is taken from every chain.
SETTLING = 10
# A right sampler and model fail with this probability, over all quantities together.
ALARM = 0.01
LIKELIHOOD = "log likelihood"


@dataclass(frozen=True)
class Calibration:
    """Ranks of simulated truths among draws of their posteriors.

    Parameters
    ----------
    quantities
        Names of all numbers that were ranked, the log likelihood of the data among them.
    ranks
        Rank of the truth among the draws, 0 to ``draws``, shape (simulations, quantities).
    draws
        Independent draws of every posterior.
    """

    quantities: tuple[str, ...]
    ranks: np.ndarray
    draws: int

    @property
    def p_values(self) -> np.ndarray:
        """For every quantity: how probable ranks as uneven as these are in a calibrated model."""
        return p_values(self.ranks, self.draws)

    @property
    def is_calibrated(self) -> bool:
        """Whether nothing speaks against uniform ranks; wrongly False in 1 % of cases."""
        return bool(self.p_values.min() * len(self.quantities) >= ALARM)

    def __str__(self) -> str:
        n, worst = len(self.ranks), int(np.argmin(self.p_values))
        verdict = "calibrated" if self.is_calibrated else "not calibrated"
        return (
            f"{verdict}: {n} data sets, {len(self.quantities)} quantities; least even are the ranks of "
            f"{self.quantities[worst]} (p = {self.p_values[worst]:.2g}, "
            f"limit {ALARM / len(self.quantities):.2g})"
        )

    def table(self) -> pd.DataFrame:
        """One row a quantity: the p-value, the mean rank (0.5 is even), and the spread (1 is even).

        A mean off 0.5 is a bias; posteriors that are too wide give a spread below 1, too narrow ones above.
        """
        import pandas as pd

        share = (self.ranks + 0.5) / (self.draws + 1)
        columns = {
            "p": self.p_values,
            "mean_rank": share.mean(axis=0),
            "spread": share.std(axis=0) * np.sqrt(12),
        }
        return pd.DataFrame(columns, index=pd.Index(self.quantities, name="quantity"))

    def chart(self, level: float = 0.95) -> alt.Chart:
        """Cumulative ranks less those of even ones, in the band that even ones keep with this probability."""
        import altair as alt
        import pandas as pd

        n, place = len(self.ranks), np.arange(1, self.draws + 1) / (self.draws + 1)
        lower, upper = (limit / n - place for limit in envelope(n, self.draws, level))
        gaps = cumulative(self.ranks, self.draws) / n - place[:, None]
        thin = slice(None, None, max(1, self.draws * len(self.quantities) // 4000))
        lines = pd.DataFrame(gaps[thin], columns=self.quantities).assign(rank=place[thin])
        lines = lines.melt("rank", var_name="quantity", value_name="gap")
        x = alt.X("rank:Q", title="rank of the truth among the draws, as a share")
        band = pd.DataFrame({"rank": place, "lower": lower, "upper": upper})
        area = alt.Chart(band).mark_area(opacity=0.2).encode(x, alt.Y("lower:Q", title=None), y2="upper:Q")
        line = alt.Chart(lines).mark_line(interpolate="step-after", opacity=0.6)
        line = line.encode(
            x, alt.Y("gap:Q", title="share of ranks, less the even share"), detail="quantity:N"
        )
        return (area + line).properties(title=str(self).partition(";")[0])


def calibrate(
    model: Model,
    observed: str | Sequence[str],
    *,
    simulations: int = 100,
    draws: int = 128,
    sampler: Sampler | None = None,
    warmup: int | None = None,
    seed: int = 0,
    executor: Executor | None = None,
) -> Calibration:
    """Check a model and its sampling by simulation-based calibration.

    Variables are drawn from the prior, data from the model given them, and the posterior of each data set is
    sampled; the ranks of the true values among the draws are then uniform. All data sets go through one
    compiled program. One draw of every chain is used, so that draws are independent.

    Parameters
    ----------
    model
        The model; its priors must be proper.
    observed
        Names of the variables that are data.
    simulations
        Number of data sets, at least 10.
    draws
        Draws of every posterior, and chains of every run, at least 8.
    sampler, warmup
        As in `sample`.
    seed
        Seed of all random numbers.
    executor
        Any ``concurrent.futures.Executor``, to sample data sets beside each other; the ranks do not depend on
        it.

    Returns
    -------
    Calibration
        Ranks, p-values, a table and a chart.

    Raises
    ------
    ModelError
        The model has improper priors, or nothing is observed or left to sample.
    NameMismatchError, OptionError
        A name is unknown, or an option out of range.

    Examples
    --------
    >>> import propto as pp
    >>> def model():
    ...     mu = pp.rv("mu", pp.Normal(0, 1))
    ...     pp.rv("y", pp.Normal(mu, 1), shape=4)
    >>> found = pp.calibrate(pp.Model(model), "y", simulations=20, draws=32, seed=1)
    >>> found.quantities, found.is_calibrated
    (('mu', 'log likelihood'), True)

    References
    ----------
    Talts, Betancourt, Simpson, Vehtari and Gelman (2018), Validating Bayesian inference algorithms with
    simulation-based calibration, arXiv:1804.06788. Modrák et al. (2025), Simulation-based calibration
    checking for Bayesian computation: the choice of test quantities shapes sensitivity, Bayesian Analysis 20.
    """
    names = (observed,) if isinstance(observed, str) else tuple(observed)
    simulations = whole("simulations", simulations, 10)
    draws, seed = whole("draws", draws, 8), whole("seed", seed, 0, LARGEST_SEED)
    if not isinstance(model, Model):
        raise ModelError(f"pp.calibrate takes a pp.Model, which can be simulated, got {model!r}")
    if not names:
        raise OptionError("observed must name at least one variable")
    truths = model.simulate(simulations, seed=seed)
    check_names("observed variable", set(names), set(map(str, truths.data_vars)), required=set())
    options = {"sampler": sampler, "warmup": warmup, "chains": draws, "draws": SETTLING, "progress": False}
    jobs = [(truths.isel(draw=i), names, {**options, "seed": seed + i}) for i in range(simulations)]
    if executor is None:
        rows = [_compared(model, *job) for job in jobs]
    else:
        with Team(executor) as team:
            shared = Parcel(model, opener=_opened)
            pending = [team.submit(_compared, shared, *job) for job in jobs]
            rows = [job.result() for job in pending]
    below, equal = (np.array([[pair[k] for pair in row.values()] for row in rows]) for k in (0, 1))
    # Among equal values the place is drawn; what is always equal, such as zeros of a matrix, tells nothing.
    ranks = np.random.default_rng(seed).integers(below, below + equal + 1)
    varies = (equal < draws).any(axis=0)
    return Calibration(tuple(np.array(list(rows[0]))[varies].tolist()), ranks[:, varies], draws)


@in_double_precision
def _opened(content: bytes) -> Model:
    """The model in another process."""
    model: Model = pickle.loads(content)
    return model


def _compared(
    model: Model, truth: xr.Dataset, names: Sequence[str], options: dict[str, Any]
) -> dict[str, tuple[int, int]]:
    """How many draws of its posterior are below one simulated truth, and how many are equal to it."""
    posterior = model.given(**{name: truth[name].values for name in names}).as_it_stands()
    assert isinstance(posterior, Posterior)
    drawn = sample(posterior, **options).posterior.isel(draw=-1)
    # The truth comes first, then one draw of every chain.
    rows = {name: np.concatenate([truth[name].values[None], drawn[name].values]) for name in posterior.names}
    if not posterior.program.summed:
        rows[LIKELIHOOD] = _likelihood(posterior, rows)
    compared: dict[str, tuple[int, int]] = {}
    for name, values in rows.items():
        flat = values.reshape(len(values), -1)
        labels = [name] if values.ndim == 1 else [f"{name}[{i}]" for i in range(flat.shape[1])]
        counts = ((flat[1:] < flat[0]).sum(axis=0).tolist(), (flat[1:] == flat[0]).sum(axis=0).tolist())
        compared |= dict(zip(labels, zip(*counts, strict=True), strict=True))
    return compared


@in_double_precision
def _likelihood(posterior: Posterior, rows: Mapping[str, np.ndarray]) -> np.ndarray:
    """Log likelihood of all data, for every row; one program for all data sets."""
    program = posterior.program

    def one(row: Any, data: Any) -> Any:
        terms = program.terms(data, row)
        return sum(jnp.sum(terms[name]) for name in program.observed)

    function = jax.vmap(one, in_axes=(0, None))
    return np.asarray(call(("log likelihood", program), function, dict(rows), posterior.data))
