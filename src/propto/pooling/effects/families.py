"""The distributions that effects may follow around their mean, each a mixture of normals."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from propto.errors import OptionError
from propto.pooling.effects.estimated import NonparametricEffects, UnimodalEffects
from propto.pooling.quadrature import log_sum

Floats = NDArray[np.float64]

_NEARLY_NORMAL = 1e6  # degrees of freedom
_STEP = 0.6  # of the rule behind Student's t; its error is about exp(-pi**2 / step)
_ALIKE = 20.0  # degrees of freedom that differ by less than this factor share their points


@dataclass(frozen=True)
class Parts:
    """Distributions of effects ``sum_c weight_sc Normal(about_mu_c mu, scale_c tau)``, one for each shape s.

    All shapes have the same parts, and differ in the weights.

    Parameters
    ----------
    weight
        Shape (S, C); each row sums to 1.
    scale
        Shape (C,); a scale of 0 is a spike.
    about_mu
        1 where a part lies about mu, 0 where it lies about zero, shape (C,).
    """

    weight: Floats
    scale: Floats
    about_mu: Floats

    @property
    def at_zero(self) -> NDArray[np.bool_]:
        """Which parts are a spike at zero."""
        return np.asarray((self.scale == 0) & (self.about_mu == 0))


@dataclass(frozen=True)
class NormalEffects:
    """``theta_j ~ Normal(mu, tau)``: the usual pooling model."""

    name: ClassVar[str] = "normal"
    shape_name: ClassVar[str | None] = None
    shape_range: ClassVar[tuple[float, float] | None] = None
    tail_index: ClassVar[float] = math.inf  # a new effect has moments below this order
    has_spike: ClassVar[bool] = False

    def __str__(self) -> str:
        return self.name

    def parts(self, tau: float, shapes: Floats, farthest: float) -> Parts:
        """The one part; nothing depends on the shape."""
        return Parts(np.ones((1, 1)), np.ones(1), np.ones(1))


@dataclass(frozen=True)
class StudentTEffects:
    r"""``theta_j ~ StudentT(df, mu, tau)``: a few effects may lie far out and are shrunk less.

    Tau is the scale: the sd is :math:`\tau \sqrt{\nu / (\nu - 2)}`. Where the degrees of freedom are not
    given, their inverse is uniform from 0, the normal, to 1, the Cauchy distribution.

    Parameters
    ----------
    df
        Degrees of freedom, from 1 to 1e6; ``None`` to estimate them.

    References
    ----------
    .. [1] Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, section 17.4.
    """

    df: float | None = None
    name: ClassVar[str] = "student_t"
    shape_name: ClassVar[str] = "1/df"
    has_spike: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.df is not None and not 1 <= self.df <= _NEARLY_NORMAL:
            raise OptionError(f"student_t: df must lie between 1 and 1e6, got {self.df:g}.")

    def __str__(self) -> str:
        return self.name if self.df is None else f"{self.name}({self.df:g})"

    @property
    def shape_range(self) -> tuple[float, float] | None:
        """The range of 1 / df, where it is estimated."""
        return (0.0, 1.0) if self.df is None else None

    @property
    def tail_index(self) -> float:
        """A new effect has moments below this order."""
        return 1.0 if self.df is None else self.df

    def parts(self, tau: float, shapes: Floats, farthest: float) -> Parts:
        """Normals of variance ``tau**2 / x`` with ``x ~ Gamma(df/2, df/2)``.

        ``farthest`` is the largest distance from mu that matters.
        """
        df = 1 / np.maximum(shapes, 1 / _NEARLY_NORMAL) if self.df is None else np.array([self.df])
        log_x, weight = precision_rules(df, (tau / farthest) ** 2)
        return Parts(weight, np.exp(-0.5 * log_x), np.ones(log_x.size))


@dataclass(frozen=True)
class SpikeAndSlab:
    r"""``theta_j = 0`` with probability w, else ``theta_j ~ Normal(mu, tau)``.

    The spike stands at zero, not at mu: that a group has no effect at all is a claim that can be made
    before the data are seen, and its posterior probability is the local false discovery rate [2]_. (That
    most groups are alike and a few differ is what `TwoNormals` says.) Since mu means nothing where all
    effects are zero, it needs a proper prior.

    Parameters
    ----------
    share
        The probability w of no effect, between 0 and 1; ``None`` to estimate it, with a uniform prior.

    References
    ----------
    .. [1] Mitchell and Beauchamp (1988), Bayesian variable selection in linear regression, JASA 83.
    .. [2] Stephens (2017), False discovery rates: a new deal, Biostatistics 18.
    """

    share: float | None = None
    name: ClassVar[str] = "spike_slab"
    shape_name: ClassVar[str] = "share"
    tail_index: ClassVar[float] = math.inf
    has_spike: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.share is not None and not 0 < self.share < 1:
            raise OptionError(f"spike_slab: the share must lie between 0 and 1, got {self.share:g}.")

    def __str__(self) -> str:
        return self.name if self.share is None else f"{self.name}({self.share:g})"

    @property
    def shape_range(self) -> tuple[float, float] | None:
        """The range of the share, where it is estimated."""
        return (0.0, 1.0) if self.share is None else None

    def parts(self, tau: float, shapes: Floats, farthest: float) -> Parts:
        """The spike and the slab."""
        shares = shapes if self.share is None else np.array([self.share])
        return Parts(np.stack([shares, 1 - shares], axis=1), np.array([0.0, 1.0]), np.array([0.0, 1.0]))


@dataclass(frozen=True)
class TwoNormals:
    r"""``theta_j ~ Normal(mu, tau)``, or, with probability w, ``Normal(mu, ratio tau)``: some outliers.

    Parameters
    ----------
    ratio
        How much wider the second normal is, more than 1.
    share
        The probability w of the wider one, between 0 and 1/2; ``None`` to estimate it, with a uniform
        prior on this range.

    References
    ----------
    .. [1] Tukey (1960), A survey of sampling from contaminated distributions; the ratio 3 is his.
    .. [2] Beath (2014), A finite mixture method for outlier detection and robustness in meta-analysis,
       Research Synthesis Methods 5.
    """

    ratio: float = 3.0
    share: float | None = None
    name: ClassVar[str] = "two_normals"
    shape_name: ClassVar[str] = "share"
    tail_index: ClassVar[float] = math.inf
    has_spike: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 1 < self.ratio <= 1e6:
            raise OptionError(f"two_normals: the ratio must be more than 1, got {self.ratio:g}.")
        if self.share is not None and not 0 < self.share <= 0.5:
            raise OptionError(f"two_normals: the share must lie between 0 and 0.5, got {self.share:g}.")

    def __str__(self) -> str:
        given = [self.ratio] if self.share is None else [self.ratio, self.share]
        return f"{self.name}({', '.join(f'{value:g}' for value in given)})"

    @property
    def shape_range(self) -> tuple[float, float] | None:
        """The range of the share, where it is estimated."""
        return (0.0, 0.5) if self.share is None else None

    def parts(self, tau: float, shapes: Floats, farthest: float) -> Parts:
        """The wide and the narrow normal."""
        shares = shapes if self.share is None else np.array([self.share])
        return Parts(np.stack([shares, 1 - shares], axis=1), np.array([self.ratio, 1.0]), np.ones(2))


Known = NormalEffects | StudentTEffects | SpikeAndSlab | TwoNormals
Effects = Known | UnimodalEffects | NonparametricEffects

_FAMILIES: dict[str, type[Effects]] = {
    "normal": NormalEffects,
    "studentt": StudentTEffects,
    "t": StudentTEffects,
    "spikeslab": SpikeAndSlab,
    "spikeandslab": SpikeAndSlab,
    "twonormals": TwoNormals,
    "unimodal": UnimodalEffects,
    "nonparametric": NonparametricEffects,
    "npmle": NonparametricEffects,
}
_FORMS = (
    "normal, student_t, student_t(df), spike_slab, spike_slab(share), two_normals, "
    "two_normals(ratio, share), unimodal, unimodal(mode), nonparametric"
)


def parse_effects(text: str | Effects) -> Effects:
    """Read a distribution of effects, such as ``student_t``, ``two_normals`` or ``unimodal``.

    What is not given in brackets is estimated: ``student_t(4)`` has four degrees of freedom,
    ``student_t`` any number.

    Parameters
    ----------
    text
        The text form, in any case; or a distribution of effects, which is returned as it is.

    Returns
    -------
    NormalEffects, StudentTEffects, SpikeAndSlab, TwoNormals, UnimodalEffects or NonparametricEffects

    Raises
    ------
    OptionError
        The text is none of these forms, or a number in it is out of range.

    Examples
    --------
    >>> parse_effects("student_t(4)"), parse_effects("two_normals")
    (StudentTEffects(df=4.0), TwoNormals(ratio=3.0, share=None))
    """
    if not isinstance(text, str):
        return text
    match = re.fullmatch(r"([a-z_\-\s]+?)(?:\(([^()]*)\))?", text.strip(), re.IGNORECASE)
    family = _FAMILIES.get(re.sub(r"[\s_\-]", "", match[1]).lower()) if match else None
    if match is None or family is None:
        raise OptionError(f"effects {text!r}: there is no such distribution. Known forms: {_FORMS}.")
    try:
        return family(*(float(part) for part in (match[2] or "").split(",") if part.strip()))
    except (TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, OptionError) else "the numbers in brackets do not fit."
        raise OptionError(f"effects {text!r}: {reason} Known forms: {_FORMS}.") from None


def precision_rules(df: Floats, smallest: float) -> tuple[Floats, Floats]:
    """Points log x and weights, shape (S, C), for ``x ~ Gamma(df/2, df/2)`` with S degrees of freedom.

    Below ``smallest`` nothing changes with x any more. Degrees of freedom that are alike share their
    points, which halves and halves again what is to be evaluated there.
    """
    band = np.floor(np.log(df) / math.log(_ALIKE))
    rules = [(band == b, *_rule(df[band == b], smallest)) for b in np.unique(band)]
    weight = np.zeros((df.size, sum(log_x.size for _, log_x, _ in rules)))
    start = 0
    for rows, log_x, weights in rules:
        weight[rows, start : start + log_x.size] = weights
        start += log_x.size
    return np.concatenate([log_x for _, log_x, _ in rules]), weight


def _rule(df: Floats, smallest: float) -> tuple[Floats, Floats]:
    """Points log x and weights of the trapezoidal rule for degrees of freedom that are alike.

    The rule runs in t with ``log x = t - exp(left - t)``, which runs out doubly exponentially to the left
    of the last point where anything changes. Its step follows the narrowest of the gamma distributions,
    its ends the widest.
    """
    if df.min() >= _NEARLY_NORMAL:
        return np.zeros(1), np.ones((df.size, 1))
    least, half = df.min() / 2, df[:, None] / 2
    left = max(-35 / least - 5, min(0.0, math.log(max(smallest, 1e-300)))) - 1  # exp(-35) lies below
    margin = math.log(1 + 40 / least + math.sqrt(80 / least))
    t = np.arange(left - margin, margin + math.exp(left), _STEP / math.sqrt(1 + df.max() / 8))
    log_x = t - np.exp(left - t)
    log_weight = half * (log_x - np.exp(log_x)) + np.log1p(np.exp(left - t))
    log_weight -= log_sum(log_weight)[:, None]
    keep = (log_weight > -40).any(axis=0)
    return log_x[keep], np.exp(log_weight[:, keep])
