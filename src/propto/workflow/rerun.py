"""Running a fit again from what it says of itself, and holding the two against each other."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from propto.density import Density
from propto.errors import ModelError, OptionError
from propto.precision import in_double_precision
from propto.run.loop import sample
from propto.run.store import digest, identity_of
from propto.samplers.ensemble import Ensemble
from propto.samplers.hmc import HMC
from propto.samplers.mams import MAMS
from propto.samplers.mclmc import MCLMC
from propto.samplers.metropolis import Metropolis
from propto.samplers.nuts import NUTS
from propto.samplers.smc import SMC
from propto.versions import changed

if TYPE_CHECKING:
    from xarray import DataTree

SAMPLERS = {sampler.__name__: sampler for sampler in (Ensemble, HMC, MAMS, MCLMC, Metropolis, NUTS, SMC)}
GROUPS = ("posterior", "sample_stats", "warmup")
FREE = ("threads", "executor", "chunk_size", "store", "progress", "cache", "init", "sampler")


@dataclass(frozen=True)
class Rerun:
    """A fit that was run again.

    Parameters
    ----------
    fit
        The new fit.
    differences
        What differs, in sentences; empty where every draw is the same, bit for bit.
    changed
        What has another version than then, in words.
    """

    fit: DataTree
    differences: tuple[str, ...]
    changed: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether every draw and every statistic is the same."""
        return not self.differences

    def __str__(self) -> str:
        draws = self.fit["posterior"].sizes
        size = f"{draws['chain']:,} chains of {draws['draw']:,} draws"
        lines = [f"same: {size}, bit for bit" if self.same else f"different: {size}"]
        return "\n".join([*lines, *(f"- {text}" for text in (*self.differences, *self.changed))])


def rerun(fit: DataTree, posterior: Density, **options: Any) -> Rerun:
    """Run a fit again from its own attributes, and compare draw for draw.

    Parameters
    ----------
    fit
        What `sample` gave, from memory, a netCDF file or a store.
    posterior
        The density that it was drawn from.
    **options
        Options of `sample` on which draws do not depend: ``threads``, ``executor``, ``chunk_size``,
        ``store``, ``progress``, ``cache``. And ``init``, if the fit had start values of its own.

    Returns
    -------
    Rerun
        ``same``, ``differences`` and the new ``fit``; ``str()`` of it is a report.

    Raises
    ------
    ModelError
        The posterior, its data or the start values are not those of the fit, or it is no fit of `sample`.
    OptionError
        An option on which draws depend.

    Examples
    --------
    >>> import propto as pp
    >>> posterior = pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()})
    >>> fit = pp.sample(posterior, draws=50, chains=8, seed=3, progress=False)
    >>> print(pp.rerun(fit, posterior, progress=False))
    same: 8 chains of 50 draws, bit for bit
    """
    settings, identity = (_of(fit, name) for name in ("settings", "identity"))
    for name in set(options) - set(FREE):
        raise OptionError(f"rerun takes {name} from the fit; leave it out")
    _refuse_another(identity, _identity(posterior, options.get("init")))
    sampler = options.pop("sampler", None) or sampler_of(settings["sampler"])
    plain = {name: settings[name] for name in ("chains", "warmup", "block_size", "seed")}
    draws = settings["draws"] if isinstance(sampler, SMC) else fit["posterior"].sizes["draw"]
    again = sample(posterior, sampler=sampler, draws=draws, **plain, **options)
    return Rerun(again, tuple(differences(fit, again)), tuple(changed(_of(fit, "versions"))))


def _of(fit: DataTree, name: str) -> dict[str, Any]:
    try:
        return dict(json.loads(fit.attrs[name]))
    except (KeyError, TypeError, ValueError):
        raise ModelError(
            f"the fit does not say its {name}, so that it cannot be run again; only fits of pp.sample do"
        ) from None


@in_double_precision
def _identity(posterior: Density, init: Any) -> dict[str, Any]:
    return identity_of(posterior.as_it_stands(), {"init": init and digest(init)})


def _refuse_another(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Name what is not as it was."""
    now = json.loads(json.dumps(now))
    for what in (what for what in before if not what.startswith("the version")):
        if before[what] != now.get(what):
            raise ModelError(
                f"this is another posterior: {what} was {before[what]}, now it is {now.get(what)}"
            )


def sampler_of(text: str) -> Any:
    """The sampler with this text, as ``NUTS(target_acceptance=0.8)``; nothing in it is executed."""
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError
        options = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
        return SAMPLERS[call.func.id](**options)
    except (SyntaxError, KeyError, ValueError, TypeError):
        raise OptionError(f"the sampler {text!r} cannot be made from its text: give sampler=...") from None


def differences(before: DataTree, now: DataTree) -> list[str]:
    """What differs in draws, statistics and warm-up, in sentences."""
    found = []
    for group in (name for name in GROUPS if name in before.children or name in now.children):
        one, other = _variables(before, group), _variables(now, group)
        found += [f"{group} has {name!r} once only" for name in sorted(map(str, set(one) ^ set(other)))]
        for name in (name for name in one if name in other):
            found += _difference(f"{group}: {name}", np.asarray(one[name]), np.asarray(other[name]))
    return found


def _variables(fit: DataTree, group: str) -> Mapping[Any, Any]:
    return fit[group].data_vars if group in fit.children else {}


def _difference(what: str, a: np.ndarray, b: np.ndarray) -> list[str]:
    """Say where two arrays first differ, and by how much at most."""
    if a.shape != b.shape:
        return [f"{what} has shape {b.shape}, it had {a.shape}"]
    apart = (a != b) & ~((a != a) & (b != b))
    if not apart.any():
        return []
    first = tuple(int(i) for i in np.argwhere(apart)[0])
    most = float(np.nanmax(np.abs(a.astype(float) - b.astype(float))))
    return [f"{what} differs in {apart.mean():.1%} of its numbers, first at {first}, by {most:.3g} at most"]
