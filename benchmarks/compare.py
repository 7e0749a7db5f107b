"""propto and its peers side by side: every tool on every target, each in a process of its own.

python benchmarks/compare.py setup ENVS            install the peers, each in its own environment
python benchmarks/compare.py run ENVS RUNS         run what has not been run, one process at a time
python benchmarks/compare.py report RUNS           table, JSON and chart of what was run
python benchmarks/compare.py check ENVS            the densities of JAX and of Stan are the same
python benchmarks/compare.py reference             moments of the targets that have none, by long runs
"""

from __future__ import annotations

import argparse
from pathlib import Path

from peers import TOOLS
from targets import GROUPS, TARGETS

COMMANDS = {
    "setup": "install the peers",
    "run": "run tools on targets",
    "report": "write table, JSON and chart",
    "check": "compare the densities",
    "reference": "make reference moments",
}


def main() -> None:
    given = parse()
    # Each command imports what it needs: setup runs without JAX.
    if given.command == "setup":
        from environments import install

        install(given.envs, given.tools)
    elif given.command == "run":
        from processes import run_all

        run_all(given)
    elif given.command == "report":
        from report import report

        report(given.runs)
    elif given.command == "check":
        from densities import check

        check(given.envs, given.targets)
    else:
        from references import make

        make(given.targets)


def parse() -> argparse.Namespace:
    """The command line, with names of tools and targets as lists."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = options.add_subparsers(dest="command", required=True)
    for command, text in COMMANDS.items():
        add_arguments(commands.add_parser(command, help=text), command)
    given = options.parse_args()
    if "tools" in given:
        given.tools = given.tools.split(",")
        complain(options, "tool", [name.partition("@")[0] for name in given.tools], list(TOOLS))
    if "targets" in given:
        given.targets = [name for word in given.targets.split(",") for name in GROUPS.get(word, [word])]
        complain(options, "target or group", given.targets, list(TARGETS))
    return given


def add_arguments(options: argparse.ArgumentParser, command: str) -> None:
    if command in ("setup", "run", "check"):
        options.add_argument("envs", type=Path, help="folder of the peers' virtual environments")
    if command in ("run", "report"):
        options.add_argument("runs", type=Path, help="folder of results; what is there is not run again")
    if command in ("setup", "run"):
        options.add_argument("--tools", default=",".join(TOOLS), help="joined by commas; name@64 sets chains")
    if command in ("run", "check", "reference"):
        options.add_argument("--targets", default=",".join(GROUPS), help="targets or groups of them")
    if command == "run":
        options.add_argument("--repeats", type=int, default=3, help="warm calls after the cold one")
        options.add_argument("--seconds", type=float, default=600, help="limit of one process")
        options.add_argument("--quick", action="store_true", help="few draws: does everything run?")


def complain(options: argparse.ArgumentParser, kind: str, given: list[str], known: list[str]) -> None:
    """End with a sentence where a name is unknown."""
    unknown = sorted(set(given) - set(known))
    if unknown:
        options.error(f"no such {kind}: {', '.join(unknown)}; there are {', '.join(known)}")


if __name__ == "__main__":
    main()
