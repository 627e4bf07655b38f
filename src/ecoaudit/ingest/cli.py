"""`ecoaudit inspect` and `ecoaudit formats`: what a log is taken for, and what is understood."""

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ecoaudit.ingest.inspection import Inspection, NotRead

BAD_INPUT = 2
FORMAT = 18
"""Columns for a format's name; the longest has as many."""


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="FILE...")
@click.option("--timezone", help="Zone of logs in local time, e.g. Europe/Berlin.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON: of one file an object, else a list.")
def inspect(inputs: tuple[str, ...], timezone: str | None, as_json: bool) -> int:
    """Say what FILE was taken for and why: format, counts, steps, tokens, time span.

    Of several files, folders and patterns: a line each, also for what is no log.
    """
    from ecoaudit.ingest import discover, inspection, values
    from ecoaudit.ingest.records import ReadOptions

    files, options = discover.files(inputs), ReadOptions(values.zone(timezone))
    if len(files) == 1 and files[0].named:
        facts = dataclasses.asdict(inspection.inspect(files[0].path, options))
        click.echo(json.dumps(facts, indent=2)) if as_json else _block(facts)
        return 0
    found = inspection.inspect_all(files, options)
    if as_json:
        rows = list(found)
        click.echo(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
    else:
        rows = [_line(row) for row in found]
    return 0 if any(isinstance(row, inspection.Inspection) for row in rows) else BAD_INPUT


def _block(facts: Mapping[str, Any]) -> None:
    """Print a line for each fact that is known."""
    width = max(len(key) for key in facts)
    for key, value in facts.items():
        if value not in (None, (), {}):
            click.echo(f"{key.replace('_', ' '):<{width}}  {_shown(value)}")


def _shown(value: object) -> str:
    match value:
        case float():
            return f"{value:,.3f}".rstrip("0").rstrip(".")
        case dict():
            return ", ".join(f"{name} {seconds:,.1f} s" for name, seconds in value.items())
        case tuple():
            return "; ".join(map(str, value))
        case _:
            return str(value)


def _line(found: "Inspection | NotRead") -> "Inspection | NotRead":
    """Print one file's line: format, records, steps, time, path."""
    from ecoaudit.ingest.inspection import NotRead

    if isinstance(found, NotRead):
        click.echo(f"{'-':<{FORMAT}}  {found.path}: {found.why}")
        return found
    steps = f"steps {found.first_step} to {found.last_step}" if found.first_step is not None else ""
    zone = {"utc": "UTC", "naive": "local"}.get(found.clock or "", "")
    time = f"{_clock(found.start)} to {_clock(found.end)} {zone}" if found.start and found.end else ""
    parts = [f"{found.records:,} records", steps, time.rstrip()]
    if found.bad_lines:
        parts.insert(1, f"{found.bad_lines:,} bad lines")
    click.echo(f"{found.format:<{FORMAT}}  {found.path}: {', '.join(part for part in parts if part)}")
    return found


def _clock(iso: str) -> str:
    return iso[:19].replace("T", " ")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def formats(as_json: bool) -> int:
    """List the log and telemetry formats that are understood."""
    from ecoaudit import ingest

    rows = [dataclasses.asdict(row) for row in ingest.formats()]
    if as_json:
        click.echo(json.dumps(rows, indent=2, default=str))
        return 0
    width = max(len(row["format"]) for row in rows)
    for row in rows:
        click.echo(f"{row['format']:<{width}}  {row['reads']}")
    return 0
