"""What must start without JAX, and what importing propto may not do."""

import subprocess
import sys

import pytest

import propto as pp

HEAVY = ("jax", "numpyro", "xarray", "altair", "pandas")


def loaded_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(' '.join(sorted(sys.modules)), file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stderr.split("\n")[-2].split())


@pytest.mark.parametrize(
    "code",
    [
        "import propto",
        "import propto.cli; propto.cli.parser().format_help()",
        "from propto.pooling.exact import pool_exact; pool_exact([28, 8, -3], [15, 10, 16]).to_dict()",
        "import propto as pp; pp.pool([28, 8, -3], [15, 10, 16])",
        "from propto.pooling import priors, tables",
    ],
)
def test_starts_without_heavy_imports(code):
    assert not loaded_after(code) & set(HEAVY)


def test_exact_fit_of_a_csv_needs_no_jax(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("label,estimate,se\nA,28,15\nB,8,10\nC,-3,16\n")
    arguments = ["fit", str(table), "--engine", "exact", "--json", "-"]
    assert "jax" not in loaded_after(f"import propto.cli; assert propto.cli.main({arguments!r}) == 0")


def test_every_public_name_loads():
    for name in pp.__all__:
        assert getattr(pp, name) is not None


def test_functions_are_not_hidden_by_modules_of_the_same_name():
    import propto.charts
    import propto.diagnosis
    import propto.pooling.pool
    import propto.reporting.html
    import propto.run.loop
    import propto.samplers.grid  # noqa: F401

    for name in ("diagnose", "report", "sample", "grid", "pool", "summary", "rv"):
        assert callable(getattr(pp, name)), name
