"""`ecoaudit calibrate`: coefficients from MLPerf power submissions, the held-out table, or one's own metered node."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ecoaudit.errors import EcoauditError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecoaudit.calibrate.fits import Group
    from ecoaudit.calibrate.heldout import Evaluation
    from ecoaudit.calibrate.runs import MeteredRun

_PATH = click.Path(path_type=Path)
_REPORT_COMMAND = "ecoaudit calibrate --evaluate --report {report}"


class _Lists(click.Command):
    """Lets `--telemetry` and `--meter` take every value up to the next option: `--telemetry a b --meter c`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        option = ""
        for arg in args:
            if arg.startswith("-"):
                option = arg if arg in ("--telemetry", "--meter") else ""
            elif option and spread[-1] != option:
                spread.append(option)
            spread.append(arg)
        return super().parse_args(ctx, spread)


@click.command(cls=_Lists)
@click.argument("paths", nargs=-1, type=_PATH, metavar="PATH...")
@click.option("--evaluate", is_flag=True, help="Print the held-out error table; without PATH on the bundled runs.")
@click.option("-o", "--output", type=_PATH, metavar="FILE", help="Write coefficients (.csv or .json) or a calibration.")
@click.option("--round", "round_name", metavar="R", help="MLPerf round, such as v4.1, where the path does not tell it.")
@click.option("--report", type=_PATH, metavar="FILE", help="With --evaluate: write the fidelity report and its chart.")
@click.option("--tables", type=_PATH, metavar="DIR", help="Write the run table and the coefficients that ship.")
@click.option(
    "--telemetry", multiple=True, type=_PATH, metavar="T", help="GPU telemetry of your node: one file or more."
)
@click.option("--meter", multiple=True, type=_PATH, metavar="M", help="Wall readings of your node: one file or more.")
@click.option("--meter-boundary", type=click.Choice(["ac", "dc"]), help="Side of the power supplies that is metered.")
@click.option("--timezone", metavar="ZONE", help="Zone of logs that give local time, such as Europe/Berlin.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def calibrate(
    paths: "tuple[Path, ...]",
    evaluate: bool,
    output: Path | None,
    round_name: str | None,
    report: Path | None,
    tables: Path | None,
    telemetry: "tuple[Path, ...]",
    meter: "tuple[Path, ...]",
    meter_boundary: Literal["ac", "dc"] | None,
    timezone: str | None,
    as_json: bool,
) -> None:
    """Fit node power: PATH are checkouts of MLPerf Training results, or give --telemetry and --meter of your node."""
    if telemetry or meter:
        if paths or evaluate or report or tables or round_name:
            raise EcoauditError(
                "--telemetry and --meter do not go with PATH, --evaluate, --round, --report or --tables",
                where="calibrate",
                fix="run the two kinds of calibration one after the other",
            )
        _own_node(telemetry, meter, meter_boundary, timezone, output, as_json)
        return
    if report and not evaluate:
        raise EcoauditError("--report needs --evaluate", where="calibrate")
    if not paths and not evaluate:
        raise EcoauditError(
            "nothing to calibrate",
            where="calibrate",
            fix="give checkouts of MLPerf results, or --evaluate, or --telemetry and --meter of your node",
        )
    _mlperf(paths, evaluate, output, _round(round_name), report, tables, meter_boundary, as_json)


def _round(name: str | None) -> str | None:
    from ecoaudit.calibrate.official import rule_of_round

    if name is None:
        return None
    plain = f"v{name.removeprefix('training_results_').removeprefix('v')}"
    if rule_of_round(plain) is None:
        raise EcoauditError(f"{name!r} is not a round", where="--round", fix="give it as v4.0, v4.1, v5.0 ...")
    return plain


def _mlperf(
    paths: "Sequence[Path]",
    evaluate: bool,
    output: Path | None,
    round_name: str | None,
    report: Path | None,
    tables: Path | None,
    meter_boundary: Literal["ac", "dc"] | None,
    as_json: bool,
) -> None:
    from ecoaudit.calibrate import heldout, listing, scoreboard
    from ecoaudit.calibrate.fits import at_ac
    from ecoaudit.calibrate.fits import groups as fit_groups
    from ecoaudit.calibrate.tables import bundled_runs

    runs, skipped = _runs(paths, round_name, meter_boundary)
    groups = fit_groups(runs, bundled_runs())
    if not groups:
        reasons = "; ".join(dict.fromkeys([*(run.excluded for run in runs if run.excluded), *skipped]))
        raise EcoauditError(
            f"no power submission that can be used{f' ({reasons})' if reasons else ''}",
            where=", ".join(map(str, paths)),
            fix="give folders that hold SUBMITTER/results/SYSTEM/BENCHMARK/power/",
        )
    evaluation = heldout.evaluate(at_ac(groups)) if evaluate or tables else None
    if output is not None:
        _write(output, _rendered(output, groups, runs, skipped, evaluation if evaluate else None))
    if tables is not None and evaluation is not None:
        _write_tables(tables, runs, evaluation)
    if report is not None and evaluation is not None:
        _write_report(report, evaluation, runs)
    if as_json:
        document = listing.document(groups, runs, skipped, evaluation if evaluate else None)
        click.echo(_json(document))
        return
    if paths:
        click.echo(listing.table_text(groups))
        told = listing.exclusions_text(runs, skipped)
        if told:
            click.echo(f"\nLeft out and handled, run by run:\n{told}")
    if evaluate and evaluation is not None:
        click.echo(("\n" if paths else "") + scoreboard.table_text(evaluation))


def _runs(
    paths: "Sequence[Path]", round_name: str | None, meter_boundary: Literal["ac", "dc"] | None
) -> "tuple[list[MeteredRun], tuple[str, ...]]":
    """Return the runs at `paths` (checkouts, or run tables in CSV), or the bundled ones, and what was not read."""
    from ecoaudit.calibrate.extract import extract
    from ecoaudit.calibrate.runs import read_csv, write_csv
    from ecoaudit.calibrate.tables import bundled_runs
    from ecoaudit.reference import load

    if not paths:
        return bundled_runs(), ()
    runs: list[MeteredRun] = []
    for table in (path for path in paths if path.is_file()):
        try:
            runs.extend(read_csv(table.read_text(encoding="utf-8"), where=str(table)))
        except (OSError, UnicodeDecodeError) as error:
            raise EcoauditError(f"cannot read the run table: {error}", where=str(table)) from error
    folders = [path for path in paths if not path.is_file()]
    if not folders:
        return runs, ()
    found = extract(
        folders,
        load().find_gpu,
        round_name=round_name,
        boundary=meter_boundary,
        known=bundled_runs(),
        progress=_progress,
    )
    # Through the table's precision, so that a table written now and read later gives the same figures.
    return [*runs, *read_csv(write_csv(found.runs), where="runs")], found.skipped


def _progress(what: str) -> None:
    """Tell on a terminal which folder is being read; silent in logs."""
    if sys.stderr.isatty():
        click.echo(f"reading {what}", err=True)


def _write_tables(folder: Path, runs: "Sequence[MeteredRun]", evaluation: "Evaluation") -> None:
    from ecoaudit.calibrate.lines import coefficients
    from ecoaudit.calibrate.tables import system_names, write_tables
    from ecoaudit.reference import load

    found = coefficients(evaluation, system_names(load().nodes()))
    for path in write_tables(folder, runs, found):
        click.echo(f"wrote {path}", err=True)


def _write_report(report: Path, evaluation: "Evaluation", runs: "Sequence[MeteredRun]") -> None:
    from ecoaudit.calibrate import chart, fidelity

    figure = report.with_suffix(".svg")
    command = _REPORT_COMMAND.format(report=report.as_posix())
    _write(report, fidelity.render(evaluation, runs, figure.name, command))
    _write(figure, chart.svg(evaluation))


def _rendered(
    output: Path,
    groups: "Sequence[Group]",
    runs: "Sequence[MeteredRun]",
    skipped: "Sequence[str]",
    evaluation: "Evaluation | None",
) -> str:
    from ecoaudit.calibrate import listing

    if output.suffix.lower() == ".json":
        return _json(listing.document(groups, runs, skipped, evaluation)) + "\n"
    return listing.groups_csv(groups)


def _own_node(
    telemetry: "Sequence[Path]",
    meter: "Sequence[Path]",
    meter_boundary: Literal["ac", "dc"] | None,
    timezone: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    from ecoaudit.calibrate.node import calibrate_node, summary
    from ecoaudit.model.calibration import encode

    if not telemetry:
        raise EcoauditError("--telemetry is missing", where="calibrate", fix="give GPU telemetry of the same time")
    line = calibrate_node(telemetry, meter, meter_boundary=meter_boundary, timezone=timezone)
    text = encode(line).decode()
    if output is not None:
        _write(output, text)
    click.echo(text.rstrip() if as_json else summary(line, output))


def _json(document: object) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise EcoauditError(f"cannot write: {error.strerror or error}", where=str(path)) from error
