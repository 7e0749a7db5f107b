"""Sample one of the twenty models: ``python examples/posteriordb/run.py NAME [FOLDER]``.

FOLDER holds a folder NAME with ``data.json``; without it, that of the variable PROPTO_SHARED.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

import propto as pp

sys.path.insert(0, str(Path(__file__).parent))

import hierarchies
import regressions
import series

MODELS = {
    "arK-arK": series.ark,
    "arma-arma11": series.arma11,
    "bball_drive_event_1-hmm_drive_1": series.hmm_drive,
    "dogs-dogs": regressions.dogs,
    "earnings-earn_height": regressions.earn_height,
    "earnings-logearn_interaction_z": regressions.logearn_interaction_z,
    "eight_schools-eight_schools_noncentered": hierarchies.eight_schools,
    "gp_pois_regr-gp_regr": regressions.gp_regr,
    "hmm_example-hmm_example": series.hmm_example,
    "hudson_lynx_hare-lotka_volterra": series.lotka_volterra,
    "kidiq-kidscore_momhsiq": regressions.kidscore_momhsiq,
    "kidiq_with_mom_work-kidscore_interaction_c2": regressions.kidscore_interaction,
    "low_dim_gauss_mix-low_dim_gauss_mix": hierarchies.low_dim_gauss_mix,
    "mesquite-logmesquite_logva": regressions.logmesquite_logva,
    "mesquite-mesquite": regressions.mesquite,
    "nes2000-nes": regressions.nes,
    "radon_mn-radon_variable_intercept_noncentered": hierarchies.radon,
    "rats_data-rats_model": hierarchies.rats,
    "sblri-blr": regressions.blr,
    "wells_data-wells_dist": regressions.wells_dist,
}


def read(path):
    """The data, lists as arrays."""
    data = json.loads(Path(path).read_text())
    return {name: np.array(value) if isinstance(value, list) else value for name, value in data.items()}


def main(name, folder=None):
    """Sample a model and print its summary."""
    folder = Path(folder or Path(os.environ["PROPTO_SHARED"]) / "posteriordb")
    posterior = MODELS[name](read(folder / name / "data.json"))
    fit = pp.sample(posterior)
    print(pp.summary(fit).round(3))
    print(pp.diagnose(fit))


if __name__ == "__main__":
    main(*sys.argv[1:])
