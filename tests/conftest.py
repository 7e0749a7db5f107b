"""What the whole suite shares: a cache folder, the reference tables, the seed's posterior, a browser."""

from __future__ import annotations

import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import propto as pp

SCHOOLS = {
    "effect_estimate": np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]),
    "std_estimate": np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]),
}


def pytest_configure(config):
    """Compiled programs go to a folder that ends with the session, also those of child processes."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return  # a worker has its parent's folder
    folder = tempfile.TemporaryDirectory(prefix="propto-tests-")
    config.add_cleanup(folder.cleanup)
    os.environ["XDG_CACHE_HOME"] = folder.name


@pytest.fixture
def double_precision():
    """64-bit floats for tests that call JAX themselves."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def shared_folder():
    """The folder of reference tables and posteriors, where there is one."""
    folder = Path(os.environ.get("PROPTO_SHARED", Path(__file__).parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip("reference tables not present")
    return folder


def log_p_schools(eta, mu, sigma, effect_estimate, std_estimate):
    """The seed's posterior in non-centred form, t = mu + sigma * eta."""
    likelihood = jnp.sum(((effect_estimate - mu - sigma * eta) / std_estimate) ** 2)
    return -0.5 * (likelihood + jnp.sum(eta**2) + ((mu - 8.75) / 20) ** 2)


@pytest.fixture(scope="session")
def schools():
    """A function from data of eight schools (by default the seed's) to the posterior: one program for all."""
    variables = {"eta": pp.real(8), "mu": pp.real(), "sigma": pp.interval(0, 100)}
    return lambda **data: pp.Density(log_p_schools, variables, data={**SCHOOLS, **data})


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
