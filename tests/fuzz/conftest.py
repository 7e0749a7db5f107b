"""The targets of the fuzzer, for the suite too."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[2] / "fuzz" / "targets.py"


@pytest.fixture(scope="session")
def targets():
    """Functions of bytes by name."""
    if not FILE.is_file():
        pytest.skip("the folder fuzz is not here")
    spec = importlib.util.spec_from_file_location("fuzz_targets", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
