"""The words of the field in plain language: one source for the report, the site and the terminal."""

from __future__ import annotations

from typing import NamedTuple


class Term(NamedTuple):
    """One word and what it means.

    Parameters
    ----------
    name
        As it stands in texts.
    meaning
        One or two sentences for a reader without statistics.
    good
        Which values are good, where there are such; else empty.
    """

    name: str
    meaning: str
    good: str = ""


TERMS: dict[str, Term] = {
    "estimate": Term(
        "Estimate, standard error", "What a group reported, and how far off such reports typically are."
    ),
    "mu": Term("Average effect μ", "The centre of the true effects of all groups like these."),
    "tau": Term(
        "Spread τ", "The standard deviation of the true effects between groups; 0 means that all are equal."
    ),
    "pooled-mean": Term(
        "Pooled mean", "What to expect of a group, given all groups: its own report, pulled to the average."
    ),
    "shrinkage": Term(
        "Shrinkage", "How far a report is pulled: 0 % takes it as it is, 100 % replaces it by the average."
    ),
    "new-group": Term("New group", "The true effect that a group outside the table would have."),
    "interval": Term(
        "90 % interval", "Holds the true value with probability 0.9, given data, model and priors."
    ),
    "prior": Term("Prior", "What was taken to be plausible before seeing the table."),
    "posterior": Term("Posterior", "What is plausible after seeing the table: prior and data together."),
    "threshold": Term(
        "P(> 0)",
        "The probability that the true effect is above 0 (or a threshold), given data, model and priors.",
    ),
    "rope": Term(
        "Region of practical equivalence", "Effects too small to matter; the limits are the reader's choice."
    ),
    "rank": Term(
        "Rank",
        "The place of a group if all true effects were known; 1 is the largest.",
    ),
    "winners-curse": Term(
        "Winner’s curse",
        "Groups chosen for their high estimates disappoint on average: part of what raised them was luck.",
    ),
    "regret": Term("Regret", "How much more the best choice would bring, if all effects were known."),
    "grade": Term(
        "Grade",
        "A class of groups that the data cannot put in order at the stated price of a wrong order.",
    ),
    "i-squared": Term(
        "I²", "The share of the scatter of the estimates that is true difference and not error."
    ),
    "q": Term("Cochran’s Q", "The scatter of the estimates in units of their errors, squared and summed."),
    "bayes-factor": Term(
        "Bayes factor", "How many times likelier the data are under one claim than under its contrary."
    ),
    "funnel": Term(
        "Funnel plot",
        "Estimates against their errors. A lopsided funnel can mean that unfavourable results are missing.",
    ),
    "predictive-check": Term(
        "Predictive check", "Tables simulated from the fitted model, held against the real one."
    ),
    "leave-one-out": Term("Leave one out", "The whole fit again without one group, for each group in turn."),
    "publication-bias": Term(
        "Publication bias",
        "Results that are significant, or large for their error, are published more often than others.",
    ),
    "subsets": Term(
        "Subsets (GOSH)",
        "The whole fit to many subsets of the groups; clouds apart mean two kinds of groups.",
    ),
    "calibration": Term(
        "Coverage", "How often intervals hold the truth, in simulated tables with the same errors."
    ),
    "effects": Term(
        "Distribution of effects",
        "How true effects lie around their average: normal, or with outliers, or many of them zero.",
    ),
    "log-score": Term(
        "Log score",
        "How well each group is foretold from all the others; higher is better, and a difference of less "
        "than twice its error says little.",
    ),
    "no-effect": Term("P(= 0)", "The probability that a group has no effect at all."),
    "coefficient": Term(
        "Coefficient", "How much the expected effect changes with one unit more of a covariate."
    ),
    "cluster": Term("Cluster", "Groups that belong together, such as the schools of one district."),
    "evidence": Term("Evidence", "The probability of the data under model and priors, before seeing them."),
    "draw": Term(
        "Draw, chain", "A chain walks through the posterior; each step gives one draw of all variables."
    ),
    "r-hat": Term("R-hat", "Compares the chains with each other; near 1 when they agree.", "below 1.01"),
    "ess": Term(
        "Effective sample size (ESS)", "How many independent draws would say as much as these.", "400 or more"
    ),
    "mcse": Term("MCSE", "Monte Carlo standard error: how far a number would move if the run were repeated."),
    "divergence": Term(
        "Divergent transition",
        "A step whose simulation broke down: part of the posterior was not reached.",
        "0",
    ),
    "e-bfmi": Term(
        "E-BFMI",
        "How freely the energy changes from draw to draw; when low, tails are hardly reached.",
        "0.3 or more",
    ),
}


def explained(key: str) -> tuple[str, str]:
    """The name of a term, and its meaning with the good values.

    Examples
    --------
    >>> explained("r-hat")
    ('R-hat', 'Compares the chains with each other; near 1 when they agree. Good: below 1.01.')
    """
    name, meaning, good = TERMS[key]
    return name, f"{meaning} Good: {good}." if good else meaning
