"""Fuzz the targets with atheris: ``python fuzz/run.py --minutes 5`` for all, or name some of them."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOUND = HERE / "found"
TIMEOUT = 10  # seconds of one input; more is a hang


def main() -> int:
    """Run the targets one after the other, each for its share of the time."""
    arguments = _arguments()
    sys.path.insert(0, str(HERE))
    if arguments.only:
        _fuzz(arguments.only)
        return 0
    from targets import TARGETS

    names = arguments.target or list(TARGETS)
    FOUND.mkdir(exist_ok=True)
    failed = [name for name in names if _start(name, 60 * arguments.minutes / len(names))]
    print(f"found in: {', '.join(failed)}; inputs in {FOUND}" if failed else "nothing was found")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="*", help="names of targets (all)")
    parser.add_argument("--minutes", type=float, default=5.0, help="time for all of them together (5)")
    parser.add_argument("--only", help=argparse.SUPPRESS)  # how this program calls itself
    return parser.parse_known_args()[0]


def _start(name: str, seconds: float) -> int:
    """Fuzz one target in a process of its own; its exit status."""
    from targets import SEEDS

    with tempfile.TemporaryDirectory() as corpus:
        for i, seed in enumerate(SEEDS[name]):
            (Path(corpus) / f"seed{i}").write_bytes(seed)
        options = [f"-max_total_time={max(1, round(seconds))}", f"-timeout={TIMEOUT}", "-max_len=4096"]
        options += [f"-artifact_prefix={FOUND}/{name}-", "-rss_limit_mb=4096", "-print_final_stats=1"]
        command = [sys.executable, __file__, "--only", name, corpus, *options]
        result = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    lines = result.stderr.splitlines()
    print(name, *(line for line in lines if "number_of_executed_units" in line), sep=": ", flush=True)
    if result.returncode:
        print("\n".join(line for line in lines if not line.startswith(("#", "INFO", "WARNING"))), flush=True)
    return result.returncode


def _fuzz(name: str) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["propto"]):
        from targets import SEEDS, TARGETS

        for seed in SEEDS[name]:
            TARGETS[name](seed)  # imports all that the target uses
    place = sys.argv.index("--only")
    os.environ["JAX_PLATFORMS"] = "cpu"
    atheris.Setup([sys.argv[0], *sys.argv[place + 2 :]], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
