"""R-hat, effective sample sizes and Monte Carlo standard errors of draws with shape (chain, draw, ...).

Every estimator takes one array of draws and works on each element of the trailing shape by itself, thousands
of chains included; large arrays are worked through in pieces of bounded memory. What cannot be estimated is
NaN: an element that holds a NaN or an infinity, an element that never changes (a frozen sampler looks just
like that, so it has no effective draws at all), and anything with fewer than four draws a chain.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from propto.diagnosis import chains
from propto.diagnosis.chains import Array
from propto.diagnosis.elements import parts, rows
from propto.errors import OptionError, ShapeError

MIN_DRAWS = 4


def rhat(draws: npt.ArrayLike) -> Array:
    r"""Rank-normalised split R-hat: do the chains, and both halves of each, agree in location and scale?

    :math:`\hat R = \sqrt{(n - 1) / n + B / W}` with B the variance of the means and W the mean of the
    variances of the 2 m half-chains of n draws, computed on normal scores of the ranks of the draws and of
    their distances from the median; the larger of the two counts.

    Parameters
    ----------
    draws
        Draws with shape (chain, draw, ...); one chain is enough, its halves are compared.

    Returns
    -------
    numpy.ndarray
        R-hat with the trailing shape, at least about 1; ``inf`` where every chain stands still at a place
        of its own, NaN where it cannot be estimated.

    Examples
    --------
    >>> import numpy as np
    >>> draws = np.random.default_rng(0).normal(size=(4, 1000, 2))
    >>> draws[0, :, 1] += 1.0
    >>> rhat(draws).round(2)
    array([1.  , 1.09])

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021), Bayesian Analysis 16(2), section 3.
    """
    return each_element(lambda x: _worse_score(x, chains.scale_reduction), draws)


def _worse_score(x: Array, statistic: Callable[[Array], Array]) -> Array:
    """The larger of a statistic of the split chains' normal scores and of their folded scores.

    Folding leaves nothing of a variable that lies at two values about its median; then the first counts.
    """
    halves = chains.split(x)
    bulk, folded = chains.normal_scores(halves), chains.normal_scores(chains.fold(halves))
    return np.fmax(statistic(bulk), statistic(folded))


def rhat_nested(draws: npt.ArrayLike, superchains: int) -> Array:
    r"""Nested R-hat: have the chains forgotten their start points, when each chain is short?

    :math:`\hat R = \sqrt{1 + B / W}`, where B is the variance of the means of K superchains and W the mean
    over superchains of the variance of chain means plus the variance within chains; on normal scores and
    folded scores of split chains as in `rhat`. Chains of a superchain share a start point.

    Parameters
    ----------
    draws
        Draws with shape (chain, draw, ...), chains of one superchain next to each other.
    superchains
        Number K of superchains, at least 2; a divisor of the number of chains.

    Returns
    -------
    numpy.ndarray
        Nested R-hat with the trailing shape.

    Raises
    ------
    OptionError
        If the chains cannot be divided into that many superchains.

    Examples
    --------
    >>> import numpy as np
    >>> draws = np.random.default_rng(0).normal(size=(128, 20))
    >>> apart = draws + np.repeat(np.arange(8), 16)[:, None]
    >>> print(f"{rhat_nested(draws, 8):.3f} {rhat_nested(apart, 8):.1f}")
    1.002 2.3

    References
    ----------
    Margossian, Hoffman, Sountsov, Riou-Durand, Vehtari, Gelman (2024), Bayesian Analysis, equations 4 to 8.
    """
    count = np.shape(draws)[0] if np.ndim(draws) else 0
    if not 2 <= superchains <= count or count % superchains:
        raise OptionError(
            f"superchains={superchains} must be at least 2 and divide the {count} chains evenly."
        )
    return each_element(
        lambda x: _worse_score(x, lambda z: chains.nested_scale_reduction(z, superchains)), draws
    )


def ess_mean(draws: npt.ArrayLike) -> Array:
    r"""Effective sample size for the mean: as many independent draws would know the mean as well.

    :math:`S / \tau` with S draws in all and :math:`\tau` the sum of the autocorrelations over all lags,
    estimated from the split chains together and cut off by Geyer's initial monotone sequence.

    Parameters
    ----------
    draws
        Draws with shape (chain, draw, ...).

    Returns
    -------
    numpy.ndarray
        Effective sample size with the trailing shape; more than S for antithetic chains, at most S log10(S).

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=(4, 1000))
    >>> print(f"{ess_mean(noise):.0f} {ess_mean(np.cumsum(noise, axis=1)):.0f}")
    3932 5

    References
    ----------
    Geyer (1992), Statistical Science 7(4); Vehtari et al. (2021), Bayesian Analysis 16(2), section 3.2.
    """
    return each_element(lambda x: chains.effective_size(chains.split(x)), draws)


def ess_bulk(draws: npt.ArrayLike) -> Array:
    """Effective sample size of the bulk: `ess_mean` of the normal scores of the ranks.

    Parameters
    ----------
    draws
        Draws with shape (chain, draw, ...).

    Returns
    -------
    numpy.ndarray
        Bulk effective sample size with the trailing shape; sound even where the mean does not exist.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{ess_bulk(np.random.default_rng(0).standard_cauchy(size=(4, 1000))):.0f}")
    3744

    References
    ----------
    Vehtari et al. (2021), Bayesian Analysis 16(2), section 4.1.
    """
    return each_element(lambda x: chains.effective_size(chains.normal_scores(chains.split(x))), draws)


def ess_quantile(draws: npt.ArrayLike, prob: float) -> Array:
    """Effective sample size for a quantile: `ess_mean` of the indicator of draws up to that quantile.

    Parameters
    ----------
    draws
        Draws with shape (chain, draw, ...).
    prob
        Probability of the quantile, in (0, 1). Where the quantile is the largest value, as in the upper tail
        of a discrete variable, all draws are up to it; then the indicator of draws below it is taken.

    Returns
    -------
    numpy.ndarray
        Effective sample size with the trailing shape.

    Raises
    ------
    OptionError
        If ``prob`` is not in (0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{ess_quantile(np.random.default_rng(0).normal(size=(4, 1000)), 0.5):.0f}")
    3944

    References
    ----------
    Vehtari et al. (2021), Bayesian Analysis 16(2), section 4.2.
    """
    _check_probability(prob)
    return each_element(lambda x: _ess_quantile(x, np.sort(chains.row(x), axis=-1), prob), draws)


def _ess_quantile(x: Array, ordered: Array, prob: float) -> Array:
    return chains.effective_size(chains.split(chains.tail_indicator(x, ordered, prob)))


def ess_tail(draws: npt.ArrayLike) -> Array:
    """Effective sample size of the tails: the smaller `ess_quantile` of the 5 % and 95 % quantiles.

    Parameters
    ----------
    draws
        Draws with shape (chain, draw, ...).

    Returns
    -------
    numpy.ndarray
        Tail effective sample size with the trailing shape.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{ess_tail(np.random.default_rng(0).normal(size=(4, 1000))):.0f}")
    4028

    References
    ----------
    Vehtari et al. (2021), Bayesian Analysis 16(2), section 4.3.
    """
    return each_element(_ess_tail, draws)


def _ess_tail(x: Array) -> Array:
    ordered = np.sort(chains.row(x), axis=-1)
    return np.minimum(_ess_quantile(x, ordered, 0.05), _ess_quantile(x, ordered, 0.95))


def mcse_mean(draws: npt.ArrayLike) -> Array:
    """Monte Carlo standard error of the posterior mean: standard deviation over the root of `ess_mean`.

    Parameters
    ----------
    draws
        Draws with shape (chain, draw, ...), in the unit of the variable.

    Returns
    -------
    numpy.ndarray
        Standard error with the trailing shape, in the unit of the variable.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{mcse_mean(np.random.default_rng(0).normal(size=(4, 1000))):.4f}")
    0.0159

    References
    ----------
    Vehtari et al. (2021), Bayesian Analysis 16(2), section 4.4.
    """
    return each_element(_mcse_mean, draws)


def _mcse_mean(x: Array) -> Array:
    return chains.row(x).std(axis=-1, ddof=1) / np.sqrt(chains.effective_size(chains.split(x)))


def mcse_sd(draws: npt.ArrayLike) -> Array:
    r"""Monte Carlo standard error of the posterior standard deviation.

    With :math:`u = (x - \bar x)^2` it is :math:`\sqrt{\mathrm{Var}(u) / (4\,\bar u\,\mathrm{ESS}(u))}`. The
    effective size is that of the squares: antithetic chains know the mean better than the spread.

    Parameters
    ----------
    draws
        Draws with shape (chain, draw, ...), in the unit of the variable.

    Returns
    -------
    numpy.ndarray
        Standard error with the trailing shape, in the unit of the variable.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{mcse_sd(np.random.default_rng(0).normal(size=(4, 1000))):.4f}")
    0.0110

    References
    ----------
    Kenney, Keeping (1951), Mathematics of Statistics, chapter 7; Vehtari et al. (2021), section 4.4.
    """
    return each_element(_mcse_sd, draws)


def _mcse_sd(x: Array) -> Array:
    squares = (x - x.mean(axis=(-2, -1), keepdims=True)) ** 2
    size = chains.effective_size(chains.split(squares))
    return chains.row(squares).std(axis=-1) / np.sqrt(4 * squares.mean(axis=(-2, -1)) * size)


def mcse_quantile(draws: npt.ArrayLike, prob: float) -> Array:
    r"""Monte Carlo standard error of a posterior quantile.

    Half the distance between the order statistics at the 16 % and 84 % points of
    Beta(:math:`E p + 1, E (1 - p) + 1`), where E is `ess_quantile`.

    Parameters
    ----------
    draws
        Draws with shape (chain, draw, ...), in the unit of the variable.
    prob
        Probability of the quantile, in (0, 1).

    Returns
    -------
    numpy.ndarray
        Standard error with the trailing shape, in the unit of the variable.

    Raises
    ------
    OptionError
        If ``prob`` is not in (0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{mcse_quantile(np.random.default_rng(0).normal(size=(4, 1000)), 0.95):.4f}")
    0.0329

    References
    ----------
    Vehtari et al. (2021), Bayesian Analysis 16(2), section 4.4.
    """
    _check_probability(prob)
    return each_element(lambda x: _mcse_quantile(x, prob), draws)


def _mcse_quantile(x: Array, prob: float) -> Array:
    ordered = np.sort(chains.row(x), axis=-1)
    return chains.quantile_error(ordered, prob, _ess_quantile(x, ordered, prob))


def ebfmi(energy: npt.ArrayLike) -> Array:
    """Energy Bayesian fraction of missing information of each chain: E[(change of energy)²] / Var(energy).

    Below about 0.3 the momentum refreshment moves the energy too little to reach the tails.

    Parameters
    ----------
    energy
        Energies with shape (chain, draw).

    Returns
    -------
    numpy.ndarray
        One value a chain, about 1 for a normal target; NaN for a chain whose energy never changes.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=(1, 5000))
    >>> print(f"{ebfmi(noise)[0]:.2f} {ebfmi(np.cumsum(noise, axis=1))[0]:.4f}")
    2.01 0.0012

    References
    ----------
    Betancourt (2016), arXiv:1604.00695.
    """
    values = np.asarray(energy, dtype=float)
    if values.shape[1] < MIN_DRAWS:
        return np.full(len(values), np.nan)
    return chains.ratio((np.diff(values, axis=1) ** 2).mean(axis=1), chains.chain_variance(values))


def each_element(statistic: Callable[[Array], Array], draws: npt.ArrayLike) -> Array:
    """Apply ``statistic``, (element, chain, draw) to (element), to every element that can be estimated."""
    values = np.asarray(draws, dtype=float)
    if values.ndim < 2:
        raise ShapeError(f"Draws need the shape (chain, draw, ...); these have {values.shape}.")
    columns = values.reshape(*values.shape[:2], math.prod(values.shape[2:]))
    result = np.full(columns.shape[2], np.nan)
    if values.shape[1] >= MIN_DRAWS and values.shape[0] > 0:
        for part in parts(columns.shape):
            piece = rows(columns[:, :, part])
            usable = estimable(piece)
            if usable.any():
                result[part][usable] = statistic(piece[usable])
    return result.reshape(values.shape[2:])[()]


def estimable(x: Array) -> npt.NDArray[np.bool_]:
    """Which elements of (element, chain, draw) are finite throughout and not constant."""
    return np.isfinite(x).all(axis=(-2, -1)) & chains.changes(chains.row(x))


def _check_probability(prob: float) -> None:
    if not 0 < prob < 1:
        raise OptionError(f"prob={prob} must lie between 0 and 1.")
