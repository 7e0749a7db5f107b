"""What the reports are written from, and how a page is taken apart."""

from __future__ import annotations

import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import time
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


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


# Chromium reads its commands from file descriptor 3 and answers on 4.
LAUNCH = """
import fcntl, os, sys
for place, pipe in zip((3, 4), [fcntl.fcntl(int(pipe), fcntl.F_DUPFD, 10) for pipe in sys.argv[1:3]]):
    os.dup2(pipe, place)
os.execvp(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """A headless Chromium driven over a pair of pipes: JSON messages that end with a zero byte."""

    def __init__(self, program, profile):
        (read, self.write), (self.read, write) = os.pipe(), os.pipe()
        launch = [sys.executable, "-c", LAUNCH, str(read), str(write), program]
        self.process = subprocess.Popen(
            [*launch, *QUIET, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(read, write),
        )
        os.close(read)
        os.close(write)
        self.ids, self.rest, self.events = itertools.count(1), b"", []

    def close(self):
        self.call("Browser.close")
        self.process.wait(timeout=20)
        os.close(self.read)
        os.close(self.write)

    def call(self, method, session=None, **params):
        """Send a command and wait for its answer; events that come in between are kept."""
        message = {"id": next(self.ids), "method": method, "params": params}
        message |= {} if session is None else {"sessionId": session}
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == message["id"]:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def receive(self):
        while b"\0" not in self.rest:
            assert select.select([self.read], [], [], 60)[0], "the browser fell silent"
            part = os.read(self.read, 2**20)
            assert part, "the browser is gone"
            self.rest += part
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def visit(self, address, width=1280, dark=False):
        """Open a page in a window of this width."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable", session)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", session, **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", session, features=[scheme])
        self.call("Page.navigate", session, url=address)
        return Tab(self, session)


class Tab:
    """One page in the browser: what it says, what it asks for, and questions to it in JavaScript."""

    def __init__(self, browser, session):
        self.browser, self.session = browser, session

    def ask(self, expression):
        options = {"returnByValue": True, "awaitPromise": True}
        answer = self.browser.call("Runtime.evaluate", self.session, expression=expression, **options)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, expression):
        end = time.monotonic() + 60
        while not self.ask(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.05)
        return self

    def heard(self, method):
        self.ask("1")  # so that all events up to now have arrived
        events = (event for event in self.browser.events if event.get("sessionId") == self.session)
        return [event["params"] for event in events if event["method"] == method]

    @property
    def complaints(self):
        log = [params["entry"]["text"] for params in self.heard("Log.entryAdded")]
        errors = [params["exceptionDetails"]["text"] for params in self.heard("Runtime.exceptionThrown")]
        spoken = [p for p in self.heard("Runtime.consoleAPICalled") if p["type"] in ("error", "warning")]
        return log + errors + [str(params["args"]) for params in spoken]

    @property
    def requests(self):
        """Addresses asked for, besides the page itself."""
        asked = [params["request"]["url"] for params in self.heard("Network.requestWillBeSent")]
        return [address for address in asked if not address.startswith("file:")]


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser found: none of {', '.join(BROWSERS)} on PATH")
    browser = Browser(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def visit(browser, tmp_path_factory):
    """A function from the text of a page (and width, dark) to its tab."""

    def opened(text, **options):
        path = tmp_path_factory.mktemp("page") / "page.html"
        path.write_text(text, encoding="utf-8")
        return browser.visit(path.as_uri(), **options).wait_for("document.readyState === 'complete'")

    return opened
