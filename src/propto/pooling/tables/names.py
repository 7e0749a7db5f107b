"""What the names of columns mean: estimate, ratio, standard error, variance, limits, sd, size, label."""

from __future__ import annotations

import re


def _words(text: str, rank: int = 0) -> dict[str, int]:
    """Give every word of a text the same rank."""
    return dict.fromkeys(text.split(), rank)


_RATIOS = _words(
    """or oddsratio oddsratios rr riskratio relativerisk hr hazardratio irr rateratio incidencerateratio ror
    prevalenceratio rom ratioofmeans responseratio"""
)
_LOGS = {log + ratio for log in ("log", "ln") for ratio in _RATIOS} | {"logodds", "logit"}
_ESTIMATES = (
    _words(
        """effect effects effectsize es yi y est estimates beta betahat b coef coefficient te mean md
        meandifference meandiff smd standardizedmeandifference standardisedmeandifference g hedgesg d cohensd
        diff difference point pointestimate value measurement theta thetahat treatmenteffect
        observedeffect emmean
        effekt schätzung schätzer schätzwert effet estimation efecto estimación effetto stima""",
        1,
    )
    | dict.fromkeys(_LOGS, 1)
    | _words("estimate effectestimate")
)
_ERROR_WORDS = _words("se stderr stderror standarderror")
_ERRORS = (
    _words(
        """sei sigma sigmai sem ses stde serr err error uncertainty unc stdestimate stderrors standarderrors
        standardfehler erreurtype erreurstandard errorestándar errorestandar""",
        1,
    )
    | {word + name: 1 for word in _ERROR_WORDS for name in _ESTIMATES | _RATIOS}
    | {name + word: 1 for word in _ERROR_WORDS for name in _ESTIMATES | _RATIOS}
    | _ERROR_WORDS
)
_VARIANCES = (
    _words("var v samplingvariance samplevariance varianz se2 sesquared", 1)
    | {word + name: 1 for word in ("var", "variance") for name in _ESTIMATES}
    | _words("vi variance")
)
_LABELS = """label labels school study studylabel studyname studlab trial unit group slab name id studyid
author authors site center centre hospital country region state lab experiment team paper reference dataset
schule studie gruppe école étude groupe escuela estudio grupo"""
_ROLES = {
    "estimate": _ESTIMATES,
    "ratio": _RATIOS,
    "std_error": _ERRORS,
    "variance": _VARIANCES,
    "sd": _words("sd std stdev stddev standarddeviation sdi"),
    "size": _words("n ni size samplesize nobs ntotal totaln"),
    "label": {name: rank for rank, name in enumerate(_LABELS.split())},
}
_STEMS = "|".join(sorted(_ESTIMATES | _RATIOS, key=len, reverse=True))
_AROUND = "(?:ci|cri|conf|confidence|interval|int|hdi|asymp|limits?|lim|cl|bound|end|of|the|pct|[0-9]{2})*"
_LIMITS = {
    side: re.compile(f"(?:{_STEMS})?{_AROUND}(?:{words}){_AROUND}")
    for side, words in {
        "lower": "lower|low|lo|lcl|lci|llci|ll|lb|l|untere|unten",
        "upper": "upper|high|hi|up|ucl|uci|ulci|ul|ub|u|obere|oben",
    }.items()
}
_TAIL = re.compile(r"(q)?\s*([0-9]+(?:\.[0-9]+)?)\s*(%|th)?", re.IGNORECASE)  # 2.5 %, q97.5


def plain(name: str) -> str:
    """Give a column name in small letters, without spaces and signs.

    >>> plain(" Std. Error ")
    'stderror'
    """
    return re.sub(r"[\W_]+", "", name.casefold())


def role_of(name: str) -> tuple[str, int] | None:
    """Give the role that a column name stands for, and its rank (0 is best), if there is one.

    >>> role_of("Std. Error"), role_of("conf.low"), role_of("weeks")
    (('std_error', 0), ('lower', 0), None)
    """
    for form in (plain(re.sub(r"[(\[].*", "", name)), plain(name)):  # a bracket is often a unit
        for role, names in _ROLES.items():
            if form in names:
                return role, names[form]
        for side, pattern in _LIMITS.items():
            if form not in {"l", "u"} and pattern.fullmatch(form):
                return side, 0
    tail = _tail(name)
    return None if tail is None else ("lower" if tail < 0.5 else "upper", 1)


def _tail(name: str) -> float | None:
    """Give the probability that a name like ``2.5 %`` or ``q97.5`` stands for."""
    found = _TAIL.fullmatch(name.strip())
    if found is None or not (found[1] or found[3]):
        return None
    share = float(found[2]) / 100
    return share if 0 < share < 1 and share != 0.5 else None


def level_of(lower: str, upper: str) -> float | None:
    """Give the level that the names of two limits state, if they do.

    >>> level_of("ci90_lower", "ci90_upper"), level_of("2.5 %", "97.5 %"), level_of("lower", "upper")
    (0.9, 0.95, None)
    """
    tails = _tail(lower), _tail(upper)
    if tails[0] is not None and tails[1] is not None:
        return round(tails[1] - tails[0], 6)
    stated = {int(digits) for name in (lower, upper) for digits in re.findall(r"[5-9][0-9]", plain(name))}
    return stated.pop() / 100 if len(stated) == 1 else None


def is_interval(name: str) -> bool:
    """Tell whether a column name says that its cells hold both limits, such as ``95% CI``."""
    return (
        re.search("ci|interval", plain(name)) is not None and re.fullmatch(_AROUND, plain(name)) is not None
    )


def is_log(name: str) -> bool:
    """Tell whether a column name says that its numbers are logarithms."""
    return any(log in plain(name) for log in _LOGS)
