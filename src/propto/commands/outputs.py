"""The files that ``propto fit`` writes: checked before the work, written whole or not at all after it."""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import propto
from propto.errors import OptionError
from propto.files import demand_room, write_text, write_whole
from propto.policy import harmless_cell
from propto.pooling.analysis import Analysis
from propto.pooling.drawing import as_tree
from propto.versions import versions

if TYPE_CHECKING:
    import xarray

    from propto.commands.result import Result

SCHEMA_VERSION = 1
STDOUT = "-"


@dataclass(frozen=True)
class Outputs:
    """Where results go: None for what is not wanted, ``-`` for standard output.

    ``format`` is that of the report: ``html``, ``pdf`` or ``md``. ``beside`` says that the report's name is
    propto's own choice, beside the table, since no output was asked for. Then an earlier report is replaced,
    and a folder that refuses it costs the report only. ``layout`` is how many chains of how many draws are
    saved of a model that has no chains.
    """

    report: str | None
    json: str | None
    csv: str | None
    save: str | None
    force: bool
    beside: bool
    format: str = "html"
    call: str = ""
    layout: tuple[int, int] = (8, 1000)

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Outputs:
        """What the arguments ask for."""
        asked = (arguments.report, arguments.json, arguments.csv, arguments.save)
        beside = not any(asked) and arguments.table != STDOUT
        kind = _format(arguments)
        report = str(Path(arguments.table).with_suffix(f".report.{kind}")) if beside else arguments.report
        layout = arguments.chains, arguments.draws
        return cls(report, *asked[1:], arguments.force, beside, kind, arguments.call, layout)

    @property
    def takes_stdout(self) -> bool:
        """Whether standard output carries a file, so that nothing else may be printed there."""
        return STDOUT in (self.json, self.csv)

    def check(self) -> None:
        """Raise OptionError for what could not be written, before any work is done."""
        if self.json == self.csv == STDOUT:
            raise OptionError("--json - and --csv - cannot both go to standard output")
        if self.save and not self.save.endswith(".nc"):
            raise OptionError(f"--save {self.save}: the name of a netCDF file ends in .nc")
        if self.report and self.format == "pdf":
            from propto.reporting.pdf import browser

            browser()
        report = None if self.beside else self.report
        named = [("--report", report), ("--json", self.json), ("--csv", self.csv), ("--save", self.save)]
        for option, name in named:
            if name is not None and not (name == STDOUT and option in ("--json", "--csv")):
                _check_path(option, Path(name), self.force)
        paths = [Path(name).absolute() for _, name in named if name not in (None, STDOUT)]
        if len(set(paths)) < len(paths):
            raise OptionError("two outputs have the same file name")

    def write(self, result: Result) -> str | None:
        """Write all that is wanted; returns where the report is."""
        origin = {**self._source(result), "versions": versions()}
        if self.json:
            found = document(result)
            found["run"] |= origin
            write(self.json, json.dumps(found, indent=2, allow_nan=False) + "\n")
        if self.csv:
            write(self.csv, groups_csv(result))
        if self.save:
            fit = self._draws(result)
            fit.attrs["run"] = json.dumps({**run_facts(result), **origin})
            demand_room(Path(self.save), int(1.1 * sum(group.nbytes for group in fit.subtree)) + 2**20)
            write_whole(Path(self.save), lambda path: fit.to_netcdf(path, engine="h5netcdf"))
        return self._write_report(result) if self.report else None

    def _draws(self, result: Result) -> xarray.DataTree:
        """The chains; or, of a model that has none, independent draws."""
        if result.fit is not None:
            return result.fit
        return as_tree(result.pooled, *self.layout, result.seed)

    def _source(self, result: Result) -> dict[str, str]:
        """The call, the table's file and its fingerprint, for the report."""
        path = Path(result.table.source)
        known = {"call": self.call, "file": path.name}
        if not path.is_file():
            return known
        return known | {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}

    def _write_report(self, result: Result) -> str | None:
        from propto.reporting import write_report

        engines = document(result)["engines"]
        try:
            write_report(
                str(self.report),
                pooled=result.pooled,
                analysis=result.analysis if isinstance(result.analysis, Analysis) else None,
                ladder=result.ladder,
                fit=result.fit,
                verdict=result.verdict,
                engines=engines,
                run={**run_facts(result), **self._source(result)},
                title=Path(result.table.source).name,
                format=self.format,
            )
        except OSError as error:
            if not self.beside:
                raise OptionError(f"--report {self.report}: {error.strerror or error}") from error
            print(f"propto: no report was written: {error.strerror or error}: {self.report}", file=sys.stderr)
            return None
        return self.report


def _format(arguments: argparse.Namespace) -> str:
    """The format of the report: what is asked for, or else what the file's ending says."""
    asked: str | None = arguments.format
    ending = Path(arguments.report).suffix.lstrip(".").lower() if arguments.report else ""
    known = {"html": "html", "htm": "html", "pdf": "pdf", "md": "md", "markdown": "md"}.get(ending)
    if asked is not None and known not in (None, asked):
        raise OptionError(f"--format {asked} with --report {arguments.report}: leave one of them out")
    return asked or known or "html"


def document(result: Result) -> dict[str, Any]:
    """The JSON document of a fit; docs/json.md describes it."""
    answer, fit = result.answer, result.fit
    engines: dict[str, Any] = {}
    if result.pooled is not None:
        engines["exact"] = {"error_bound": _number(result.pooled.error_bound)}
    if fit is not None:
        engines["mcmc"] = {
            "sampler": fit.attrs["sampler"],
            "draws": int(fit.attrs["draws"]),
            "chains": int(fit.attrs["chains"]),
            "interrupted": bool(fit.attrs["interrupted"]),
        }
    if result.agreement is not None:
        gap = {
            "max_gap_mcse": _number(result.agreement.max_gap_mcse),
            "max_gap_of": result.agreement.quantity,
        }
        engines["mcmc"] |= gap
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": result.verdict.to_dict(),
        "model": result.model.to_dict(),
        **({} if result.analysis is None else result.analysis.to_dict()),
        "findings": result.findings(),
        "checks": [check.to_dict() for check in result.checks],
        **({} if result.ladder is None else {"compare_effects": result.ladder.to_dict()}),
        **answer.to_dict(),
        "engines": engines,
        "priors": result.priors(),
        "table": {
            "source": result.table.source,
            "columns": str(result.table.columns),
            "warnings": list(result.table.warnings),
        },
        "run": run_facts(result),
    }


def run_facts(result: Result) -> dict[str, Any]:
    """Seed, version, size and seconds of a run."""
    drawn = {} if result.fit is None else result.fit.attrs
    return {
        "seed": result.seed,
        "version": propto.__version__,
        "draws": int(drawn.get("draws", 0)),
        "chains": int(drawn.get("chains", 0)),
        "seconds": round(result.seconds, 3),
    }


def groups_csv(result: Result) -> str:
    """One row a group, as CSV; numbers that do not exist are empty, and no text is a formula."""
    rows = result.answer.to_dict()["groups"]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: harmless_cell(cell) for name, cell in row.items()} for row in rows)
    return text.getvalue()


def _check_path(option: str, path: Path, force: bool) -> None:
    if path.is_dir():
        raise OptionError(f"{option} {path}: this is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise OptionError(f"{option} {path}: there is no folder {str(path.parent)!r}")
    if path.exists() and not force:
        raise OptionError(f"{option} {path}: the file exists; add --force to overwrite it")


def write(name: str, text: str) -> None:
    """Write a text to a file, or to standard output."""
    if name == STDOUT:
        sys.stdout.write(text)
    else:
        write_text(Path(name), text)


def _number(value: float) -> float | None:
    """A number for JSON, which has no NaN."""
    return float(value) if value == value else None
