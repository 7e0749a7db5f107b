"""What the reports are written from, and how a page is taken apart."""

from __future__ import annotations

from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from propto.pooling.exact import pool_exact
from propto.reporting import page

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Elements of a page with attributes, depth-checked, and the text of scripts and styles."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.text, self.elements, self.open, self.words, self.raw = text, [], [], [], []
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{tag} closed out of order"

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            self.raw.append((self.elements[-1], data))
        elif data.strip():
            self.words.append(data.strip())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def prose(self):
        return " ".join(self.words)


@pytest.fixture(scope="session")
def parse():
    return Page


EIGHT = {"estimate": [28.0, 8, -3, 7, -1, 1, 18, 12], "std_error": [15.0, 10, 16, 11, 9, 11, 10, 18]}
PRIORS = {"prior_mu": "normal(8.75, 20)", "prior_tau": "uniform(0, 100)"}


def drawn(pooled, chains=4, draws=1000):
    """A fit whose draws are exact draws of a pooled result, with a Hamiltonian sampler's statistics."""
    exact = pooled.draws(chains * draws, seed=1)
    shape = (chains, draws)
    theta = exact["theta"].reshape(*shape, -1)
    posterior = {name: (("chain", "draw"), exact[name].reshape(shape)) for name in ("mu", "tau", "new_group")}
    posterior["theta"] = (("chain", "draw", "group"), theta)
    stats = {
        "energy": (("chain", "draw"), np.random.default_rng(1).normal(20, 3, shape)),
        "diverging": (("chain", "draw"), np.zeros(shape, bool)),
    }
    groups = {
        "/": xr.Dataset(attrs={"seed": 7, "sampler": "NUTS", "draws": draws, "chains": chains}),
        "posterior": xr.Dataset(posterior, coords={"group": list(pooled.label)}),
        "sample_stats": xr.Dataset(stats),
    }
    return xr.DataTree.from_dict(groups)


@pytest.fixture(scope="session")
def eight():
    return pool_exact(**EIGHT, label=list("ABCDEFGH"), **PRIORS)


@pytest.fixture(scope="session")
def fifty():
    rng = np.random.default_rng(0)
    error = rng.uniform(1, 8, 50)
    label = [f"district {j}" for j in range(50)]
    return pool_exact(rng.normal(5, 4, 50) + error * rng.normal(size=50), error, label=label)


@pytest.fixture(scope="session")
def many():
    rng = np.random.default_rng(5)
    error = rng.uniform(1, 8, 1000)
    label = [f"district {j:03d}" for j in range(1000)]
    return pool_exact(rng.normal(5, 4, 1000) + error * rng.normal(size=1000), error, label=label)


@pytest.fixture(scope="session")
def draws_of():
    """A function from a pooled result to a fit."""
    return drawn


@pytest.fixture(scope="session")
def fit(eight):
    return drawn(eight)


@pytest.fixture(scope="session")
def failing(fit):
    """The same fit with chain 3 elsewhere and some divergences, and a verdict that says so."""
    tree = fit.copy(deep=True)
    tree["posterior"]["mu"][2] += 40
    tree["sample_stats"]["diverging"][0, :20] = True
    reason = SimpleNamespace(
        severity="fail", message="R-hat of mu is 1.9, above 1.01.", remedy="Run it longer & look <again>."
    )
    return tree, SimpleNamespace(status="fail", reasons=(reason,))


EVIL = [
    "<script>document.documentElement.dataset.evil = 1</script>",
    "</script><img src=x onerror='document.documentElement.dataset.evil = 2'>",
    "<!--<script>",
    '=HYPERLINK("http://example.invalid")',
    "\"quoted\" & 'single' `back`",
    "{{ 7 * 7 }} ${7 * 7}",
    "javascript:alert(1)",
    "A",
]


@pytest.fixture(scope="session")
def evil():
    """Keyword arguments of a report in which every text that a user can set is hostile."""
    pooled = pool_exact(**EIGHT, label=EVIL, **PRIORS)
    tree = drawn(pooled, draws=300)
    tree.attrs["settings"] = EVIL[0]
    reason = SimpleNamespace(severity="caution", message=EVIL[0], remedy=EVIL[1])
    return {
        "pooled": pooled,
        "fit": tree,
        "verdict": SimpleNamespace(status="caution", reasons=(reason,)),
        "run": {"file": EVIL[1], "call": EVIL[0], EVIL[0]: EVIL[1]},
        "title": f"</title>{EVIL[0]}",
    }


@pytest.fixture(scope="session")
def pages(eight, fit, failing, evil):
    """The text of one report of each kind."""
    tree, verdict = failing
    run = {"seed": 7, "call": "propto fit schools.csv", "file": "schools.csv", "version": "0.1.0"}
    return {
        "exact": page(pooled=eight, run=run),
        "both": page(pooled=eight, fit=fit, run=run),
        "general": page(fit=fit),
        "failing": page(pooled=eight, fit=tree, verdict=verdict, run=run),
        "evil": page(**evil),
    }
