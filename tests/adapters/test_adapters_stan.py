"""Stan programs: sources, engines, threads, rejections, generated quantities; and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import propto as pp
from propto.errors import ModelError, NameMismatchError, OptionError

pytest.importorskip("bridgestan", reason="bridgestan is not installed")
pytest.importorskip("stanli", reason="stanli is not installed")

from propto.adapters import stan as adapter
from propto.adapters.stan_engines import choose_engine, shapes_of, without_model

COIN = """
data { int n; int k; }
parameters { real<lower=0, upper=1> p; }
transformed parameters { matrix[2, 3] table = rep_matrix(p, 2, 3); table[2, 1] = 7; }
model { k ~ binomial(n, p); }
generated quantities { int next = bernoulli_rng(p); }
"""


def test_a_file_or_a_text(tmp_path):
    (tmp_path / "coin.stan").write_text(COIN)
    data = {"n": 10, "k": np.int64(7)}
    of = [pp.from_stan(source, data) for source in (COIN, tmp_path / "coin.stan", f"{tmp_path}/coin.stan")]
    assert len({d.log_density(p=0.3) for d in of}) == 1
    assert of[0].log_density(p=0.3) - of[0].log_density(p=0.6) == pytest.approx(
        7 * np.log(0.5) + 3 * np.log(7 / 4)
    )


def test_generated_quantities_are_random_and_reproducible():
    density = pp.from_stan(COIN, {"n": 10, "k": 7}, dims={"table": ("a", "b")})
    p = np.linspace(0.001, 0.999, 400).reshape(4, 100)
    found = density.derived({"p": p})
    axes, table = found["table"]
    assert axes == ("a", "b")
    assert np.asarray(table)[2, 5].tolist() == [[p[2, 5]] * 3, [7.0, *[p[2, 5]] * 2]]
    coins = np.asarray(found["next"][1])
    assert (coins == np.asarray(density.derived({"p": p})["next"][1])).all()
    assert abs(coins.mean() - 0.5) < 0.11  # sd 0.0204; alarm 1e-7
    assert coins[0].sum() < 35 < 65 < coins[3].sum()  # means 12.5 and 87.5, sds 3.3


def test_the_same_program_of_other_data_compiles_nothing():
    one, other = (pp.from_stan(COIN, {"n": 10, "k": k}) for k in (7, 1))
    assert one.as_it_stands().program == other.as_it_stands().program
    options = {"chains": 4, "draws": 200, "progress": False, "sampler": pp.NUTS()}
    fits = [pp.sample(density, seed=1, **options) for density in (one, other)]
    means = [float(fit.posterior["p"].mean()) for fit in fits]
    assert means == pytest.approx([8 / 12, 2 / 12], abs=0.05)


def test_threads_change_nothing(monkeypatch):
    density = pp.from_stan(COIN, {"n": 10, "k": 7})
    options = {"chains": 8, "draws": 20, "warmup": 20, "seed": 3, "progress": False}
    fits = [pp.sample(density, threads=1, **options)]
    monkeypatch.setattr(adapter.StanModel.known[int(density.data["model"])], "is_slow", True)
    fits.append(pp.sample(density, threads=2, **options))
    assert (fits[0].posterior["p"].values == fits[1].posterior["p"].values).all()


def test_a_rejected_point_has_density_zero():
    code = 'parameters { real x; } model { if (x > 1) reject("too large"); x ~ normal(0, 1); }'
    density = pp.from_stan(code)
    assert density.log_density(x=2.0) == -np.inf
    assert np.isfinite(density.log_density(x=0.5))


def test_the_model_block_is_found():
    source = "// model { }\nparameters { real x; /* model { */ } model { if (x > 0) { x ~ normal(0, 1); } }"
    assert without_model(source).endswith("} model {}")
    assert without_model("parameters { real x; }") == "parameters { real x; }"
    assert shapes_of(["a", "b.1.1", "b.2.1", "b.1.2", "b.2.2"]) == {"a": (), "b": (2, 2)}


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: pp.from_stan("parameters { real x }"), ModelError, "Stan refuses"),
        (lambda: pp.from_stan(COIN, {"n": 10}), ModelError, "Stan refuses"),
        (lambda: pp.from_stan(COIN, {"n": 10, "k": "seven"}), ModelError, "numbers and arrays"),
        (lambda: pp.from_stan("nowhere.stan"), ModelError, "cannot be read"),
        (lambda: pp.from_stan(COIN, {"n": 1, "k": 1}, engine="cmdstan"), OptionError, "must be one of"),
        (lambda: pp.from_stan(COIN, {"n": 1, "k": 1}, dims={"q": "a"}), NameMismatchError, "'q'"),
    ],
)
def test_what_cannot_be_run_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_bridgestan_and_stanli_agree():
    if choose_engine(None) != "bridgestan":
        pytest.skip("no C++ compiler, or BridgeStan's sources are not here")
    densities = [pp.from_stan(COIN, {"n": 10, "k": 7}, engine=engine) for engine in ("bridgestan", "stanli")]
    gaps = [densities[0].log_density_at([q]) - densities[1].log_density_at([q]) for q in (-1.0, 0.0, 2.0)]
    assert np.allclose(gaps, gaps[0], rtol=0, atol=1e-10)
