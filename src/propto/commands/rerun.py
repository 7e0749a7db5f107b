"""``propto rerun``: run again what a file of ``propto fit`` came from, and compare."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from propto.errors import OptionError
from propto.versions import changed

SHOWN = 10
# What a second run cannot share with the first.
OWN = ("run.seconds", "run.call", "run.file", "run.sha256", "run.versions", "table.source")


def rerun(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Print whether everything is the same; the exit code is 0 if so, else 1."""
    file = Path(arguments.file)
    facts = _facts(file)
    call = _call(file, facts, parser)
    call.table = _table(file, call.table if arguments.table is None else arguments.table, facts)
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder) / ("fit.nc" if file.suffix == ".nc" else "fit.json")
        _run(call, again)
        found = _draws(file, again) if file.suffix == ".nc" else _numbers(_json(file), _json(again))
    versions = changed(facts.get("versions") or {})
    print("\n".join(_said(file, found, versions)))
    return 1 if found else 0


def _said(file: Path, found: list[str], versions: list[str]) -> Iterator[str]:
    what = "every draw" if file.suffix == ".nc" else "every number"
    yield (
        f"different: {len(found):,} differ"
        if found
        else f"same: {what} of {file} came out again, bit for bit"
    )
    yield from (f"- {text}" for text in found[:SHOWN])
    if len(found) > SHOWN:
        yield f"- and {len(found) - SHOWN:,} more"
    yield from (f"version: {text}" for text in versions)


def _facts(file: Path) -> dict[str, Any]:
    """What the file says of the run: call, fingerprint of the table, versions."""
    if file.suffix != ".nc":
        facts = _json(file).get("run")
        return dict(facts) if isinstance(facts, dict) else {}
    with _opened(file) as fit:
        return dict(json.loads(fit.attrs.get("run", "{}")))


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise OptionError(f"{file} cannot be read: {error}; give what --json or --save wrote") from None
    if not isinstance(content, dict):
        raise OptionError(f"{file} holds no results of propto; give what --json or --save wrote")
    return content


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Any]:
    import xarray as xr

    try:
        fit = xr.open_datatree(file, engine="h5netcdf")
    except Exception as error:  # whatever the reader meets in a file that is no netCDF
        raise OptionError(f"{file} cannot be read: {error}; give what --json or --save wrote") from None
    with fit:
        yield fit


def _call(file: Path, facts: Mapping[str, Any], parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The arguments of the call that the file tells, which can only be one of ``propto fit``."""
    text = str(facts.get("call") or "")
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    if words[:2] != ["propto", "fit"]:
        raise OptionError(
            f"{file} does not say by which `propto fit` it was made; a fit of pp.sample is run again in "
            "Python, by pp.rerun(fit, posterior)"
        )
    try:
        with contextlib.redirect_stderr(io.StringIO()) as said:
            arguments = parser.parse_args(words[1:])
    except SystemExit:
        raise OptionError(f"the call in {file} cannot be read: {said.getvalue().strip()[-300:]}") from None
    if arguments.by is not None:
        raise OptionError(
            f"{file} is of many tables (--by): run the command itself again, and compare the files"
        )
    arguments.call = text
    return arguments


def _table(file: Path, name: str, facts: Mapping[str, Any]) -> str:
    """Where the table is, held against its fingerprint."""
    if name == "-":
        raise OptionError("the table came from standard input; say with --table where it is now")
    found = next((path for path in (Path(name), file.parent / Path(name).name) if path.is_file()), None)
    if found is None:
        raise OptionError(f"the table {name} is not there; say with --table where it is now")
    before, now = facts.get("sha256"), hashlib.sha256(found.read_bytes()).hexdigest()
    if before not in (None, now):
        raise OptionError(f"the table {found} is not as it was: its SHA-256 was {before}, now it is {now}")
    return str(found)


def _run(call: argparse.Namespace, to: Path) -> None:
    """Run the call again, with its results in one file and nowhere else."""
    call.report = call.json = call.csv = call.save = call.format = None
    setattr(call, "save" if to.suffix == ".nc" else "json", str(to))
    call.quiet, call.force = True, True
    with contextlib.redirect_stdout(io.StringIO()):
        call.run(call)


def _draws(before: Path, now: Path) -> list[str]:
    from propto.workflow.rerun import differences

    with _opened(before) as one, _opened(now) as other:
        return differences(one, other)


def _numbers(before: Any, now: Any, place: str = "") -> list[str]:
    """Where two documents differ, in sentences."""
    if place in OWN or before == now:
        return []
    if isinstance(before, dict) and isinstance(now, dict):
        names = dict.fromkeys([*before, *now])
        pairs = [(f"{place}.{name}".lstrip("."), before.get(name), now.get(name)) for name in names]
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = [
            (f"{place}[{i}]", one, other) for i, (one, other) in enumerate(zip(before, now, strict=True))
        ]
    else:
        return [f"{place or 'the document'} was {_short(before)}, is {_short(now)}"]
    return [text for name, one, other in pairs for text in _numbers(one, other, name)]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
