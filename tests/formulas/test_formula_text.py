"""Formulas are taken apart as they are meant, and wrong ones are refused with the mend."""

from __future__ import annotations

import numpy as np
import pytest

import propto as pp
from propto.errors import ModelError, NameMismatchError, OptionError
from propto.formulas.text import take_apart

DATA = {
    "y": np.array([1.0, 2.0, 4.0, 3.0]),
    "x": np.array([0.0, 1.0, 2.0, 5.0]),
    "hole": np.array([0.0, np.nan, 2.0, 5.0]),
    "same": np.ones(4),
    "g": ["a", "b", "a", "b"],
    "se": np.array([1.0, 1.0, 0.0, 2.0]),
    "n": np.array([3, 3, 3, 3]),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y ~ x", ("y", None, "", "x", ())),
        ("y ~ (1 | g)", ("y", None, "", "1", (("1", "g", True),))),
        ("y ~ 0 + x + (x || g)", ("y", None, "", "0 + x", (("x", "g", False),))),
        ("y ~ (1 | a/b) + C(z) + x*w", ("y", None, "", "C(z) + x*w", (("1", "a", True), ("1", "a:b", True)))),
        (
            "y ~ x + (1 + x | g) + np.log(z + 1)",
            ("y", None, "", "x + np.log(z + 1)", (("1 + x", "g", True),)),
        ),
        ("e | se(s) ~ 1 + (1 | g)", ("e", "se", "s", "1", (("1", "g", True),))),
        ("k|trials(n + 1) ~ x:(a + b)", ("k", "trials", "n + 1", "x:(a + b)", ())),
    ],
)
def test_parts(text, expected):
    parts = take_apart(text)
    groups = tuple((g.terms, g.factor, g.is_correlated) for g in parts.groups)
    assert (parts.response, parts.known, parts.of, parts.common, groups) == expected


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: pp.formula("y = x", DATA), ModelError, "with one ~"),
        (lambda: pp.formula("y ~ ", DATA), ModelError, "nothing on one side"),
        (lambda: pp.formula("y ~ 1 | g", DATA), ModelError, "in brackets"),
        (lambda: pp.formula("y ~ x * (1 | g)", DATA), ModelError, r"with '\+'"),
        (lambda: pp.formula("y ~ (1 | g", DATA), ModelError, "do not match"),
        (lambda: pp.formula("y ~ (1 | g + h)", DATA), ModelError, "one group"),
        (lambda: pp.formula("y | sd(se) ~ x", DATA), ModelError, "behind the response"),
    ],
)
def test_wrong_texts_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    ("text", "options", "error", "words"),
    [
        ("y ~ xx", {}, ModelError, "did you mean 'x'"),
        ("y ~ x +* g", {}, ModelError, "incorrectly used"),
        ("y ~ (1 | group)", {}, ModelError, "no column 'group'"),
        ("y ~ hole", {}, ModelError, "row 1 of 'hole'"),
        ("y ~ same", {}, ModelError, "one value only"),
        ("g ~ x", {}, ModelError, "does not hold numbers"),
        ("y | se(se) ~ x", {}, ModelError, "standard errors above 0"),
        ("y | trials(n) ~ x", {}, ModelError, "no meaning"),
        ("y ~ x", {"family": "binomial"}, ModelError, "needs a known quantity"),
        ("y | trials(n) ~ x", {"family": "binomial"}, ModelError, "number of trials"),
        ("y ~ x", {"family": "bernoulli"}, ModelError, "takes 0 and 1"),
        ("y ~ x", {"family": "normal"}, OptionError, "must be one of"),
        ("y ~ x", {"priors": {"beta": pp.Normal(0, 1)}}, NameMismatchError, "'beta'"),
        ("y ~ (1 | g) + (1 + x || g)", {}, ModelError, "twice"),
    ],
)
def test_wrong_columns_and_options_are_refused(text, options, error, words):
    pytest.importorskip("formulaic", reason="formulaic is not installed")
    with pytest.raises(error, match=words):
        pp.formula(text, DATA, **options)
