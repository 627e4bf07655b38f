"""The command line: parses, calls, prints; nothing else. Heavy imports happen inside the commands."""

import contextlib
import io
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import click

from ecoaudit import __version__
from ecoaudit.config import Config
from ecoaudit.errors import EcoauditError
from ecoaudit.options import Folder, site_options

BAD_INPUT = 2
INTERRUPTED = 130
PIPE_CLOSED = 141
NARROWEST = 60


class _Commands(click.Group):
    """Commands that live in their own stage are imported only when called or listed by name."""

    lazy: ClassVar = {
        "calculator": "ecoaudit.calculator.cli:calculator",
        "calibrate": "ecoaudit.calibrate.cli:calibrate",
        "estimate": "ecoaudit.estimate.cli:estimate",
        "formats": "ecoaudit.ingest.cli:formats",
        "inspect": "ecoaudit.ingest.cli:inspect",
        "publish": "ecoaudit.publish.cli:publish",
    }
    elsewhere: ClassVar = {"record": "Record telemetry beside a training job."}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *self.lazy, *self.elsewhere])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.elsewhere:
            return click.Command(cmd_name, help=self.elsewhere[cmd_name])
        target = self.lazy.get(cmd_name)
        if target is None:
            return super().get_command(ctx, cmd_name)
        import importlib

        module, _, name = target.partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="ecoaudit %(version)s")
@click.option("--debug", is_flag=True, help="Print the traceback of an error.")
@click.pass_context
def main(ctx: click.Context, debug: bool) -> None:
    """Audit what a training run cost in energy, carbon and money."""
    ctx.obj = {"debug": debug}


def run(argv: list[str]) -> int:
    """Run the command line on `argv`; returns the exit code, prints an error as one line on stderr."""
    os.environ.pop("MPLBACKEND", None)  # a notebook's, say, which need not be installed here: charts are files
    try:
        _ready_output()
        with _stopped_in_order():
            code = _invoke(list(argv))
        sys.stdout.flush()
    except _Stopped as stopped:
        return 128 + stopped.number
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        _close_output()  # the reader has what it wanted
        return PIPE_CLOSED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return BAD_INPUT
    except Exception as error:  # the outermost edge: a fault of ours must not exit with 1, "a budget failed"
        if "--debug" in argv and not isinstance(error, click.ClickException):
            raise
        with contextlib.suppress(OSError):  # a disk so full that not even this can be said
            print(f"ecoaudit: {_one_line(error)}", file=sys.stderr, flush=True)
        if isinstance(error, OSError) and error.filename is None:
            _close_output()
        return BAD_INPUT
    return code


def _invoke(argv: list[str]) -> int:
    """Run the command and return its exit code; not `main.main()`, which turns a closed pipe into "a budget failed"."""
    try:
        with main.make_context("ecoaudit", argv) as context:
            result = main.invoke(context)
    except click.exceptions.Exit as done:  # --help, --version
        return done.exit_code
    return result if isinstance(result, int) else 0


class _Stopped(BaseException):
    """The command was told to end, by the signal of this `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def _stopped_in_order() -> Iterator[None]:
    """Let a signal that would end the process at once (`timeout`, a scheduler) end what it began first: its workers."""

    def stop(number: int, _: object) -> NoReturn:
        raise _Stopped(number)

    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # only the main thread can set what a signal does
    for number in numbers:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _ready_output() -> None:
    """Make the streams take whatever is printed; fails where they hold something they could not write before."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller (`>&-`): nobody listens
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - until the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without our characters shows others, it does not fail


def _close_output() -> None:
    """Let nothing more be printed: the interpreter would try at its end, fail, and change the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _terminal_width() -> int | None:
    """Return the terminal's columns (COLUMNS goes first), at least 60; None where stdout is a file or a pipe."""
    return max(shutil.get_terminal_size().columns, NARROWEST) if sys.stdout.isatty() else None


def _one_line(error: Exception) -> str:
    """Return what a person needs to know of `error` as one line."""
    match error:
        case EcoauditError():
            return error.line()
        case MemoryError():
            return "there is not enough memory for these files at once; allow it more, or audit fewer of them"
        case click.ClickException():
            context = error.ctx if isinstance(error, click.UsageError) else None
            text = " ".join(error.format_message().split()).rstrip(".")
            return f"{text}; see `{context.command_path if context else 'ecoaudit'} --help`"
        case OSError():
            return f"{error.filename or 'output'}: {error.strerror or error}"
        case _:
            what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            return f"a fault of ecoaudit itself ({what}); please report it with what --debug prints"


def load_config(config_path: Path | None, overrides: dict[str, Any]) -> Config:
    """Return the given options over the configuration file; without a file named, the repository's if it has one.

    An error names the option as it is written.
    """
    from ecoaudit import config

    default = Path(".github/ecoaudit.yml")
    if config_path is None and default.is_file():
        config_path = default
    base = config.load(config_path) if config_path else Config()
    given = {key: value for key, value in overrides.items() if value is not None}
    context = click.get_current_context(silent=True)
    written = context.command.params if context is not None else []
    names = {option.name: option.opts[0] for option in written if option.name}
    return config.override(base, given, where="command line", names=names)


@main.command()
@click.argument("inputs", nargs=-1, required=True)
@site_options
@click.option("-o", "--output", type=Folder(), default="ecoaudit-report", show_default=True)
@click.option("--base", type=click.Path(path_type=Path), help="audit.json of the base run to compare with.")
@click.option("--json", "as_json", is_flag=True, help="Print the audit as JSON instead of the summary.")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    help="Processes that share telemetry too large for memory; as many as there are processors if not given.",
)
@click.option("--dask", metavar="ADDRESS", help="Scheduler of a Dask cluster that shares it instead.")
def audit(
    inputs: tuple[str, ...],
    config_path: Path | None,
    output: Path,
    base: Path | None,
    as_json: bool,
    jobs: int | None,
    dask: str | None,
    **overrides: Any,
) -> int:
    """Audit the run whose telemetry and logs are INPUT (files, folders, globs); write the report into --output.

    Exits with 1 when a budget of the configuration fails, 2 on bad input.
    """
    return _audit(list(inputs), load_config(config_path, overrides), output, base, as_json, jobs, dask)


def _audit(
    inputs: list[str],
    config: Config,
    output: Path,
    base: Path | None,
    as_json: bool,
    jobs: int | None = None,
    dask: str | None = None,
) -> int:
    from ecoaudit import pipeline
    from ecoaudit.jobs import Jobs, available_cpus
    from ecoaudit.judge import judge
    from ecoaudit.judge.verdict import Baseline, Outcome
    from ecoaudit.model.audit_json import encode
    from ecoaudit.progress import TerminalProgress

    base_audit = pipeline.read_audit(base) if base else None
    with TerminalProgress() as progress, Jobs(jobs or available_cpus(), dask, progress) as shared:
        found = pipeline.audit_inputs(inputs, config, jobs=shared)
    verdict = judge(
        found,
        config.budgets,
        base=base_audit,
        baseline=Baseline(source=f"file {base.name}", commit=base_audit.run.commit) if base and base_audit else None,
        on_missing_baseline=config.on_missing_baseline,
    )
    rendered, files = pipeline.write_report(found, verdict, output, base=base_audit, width=_terminal_width())
    if as_json:
        click.echo(encode(found).decode(), nl=False)
    else:
        click.echo(rendered.console, nl=False)
        click.echo(f"\nReport: {files.report_html}\n        {files.report_md}\n        {files.audit_json}")
    return 1 if verdict.outcome == Outcome.FAIL else 0


@main.command()
@click.argument("head", type=click.Path(path_type=Path))
@click.option("--base", type=click.Path(path_type=Path), required=True, help="audit.json of the base run.")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="Configuration file with budgets.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def compare(head: Path, base: Path, config_path: Path | None, as_json: bool) -> int:
    """Compare the audit HEAD with --base and judge the budgets; exits with 1 when one fails."""
    import msgspec

    from ecoaudit import pipeline
    from ecoaudit.judge import judge
    from ecoaudit.judge.verdict import Baseline, Outcome

    config = load_config(config_path, {})
    head_audit, base_audit = pipeline.read_audit(head), pipeline.read_audit(base)
    verdict = judge(
        head_audit,
        config.budgets,
        base=base_audit,
        baseline=Baseline(source=f"file {base.name}", commit=base_audit.run.commit, run_id=base_audit.run.id),
        on_missing_baseline=config.on_missing_baseline,
    )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(verdict), indent=2).decode())
    else:
        said = verdict.outcome.value if verdict.judged else "not judged"
        lines = [f"{said}: {verdict.headline}", *(c.message for c in verdict.checks)]
        lines += [d.text for d in verdict.deltas] + verdict.not_comparable + verdict.notes
        click.echo("\n  ".join(lines))
    return 1 if verdict.outcome == Outcome.FAIL else 0


@main.command()
@click.option("-o", "--output", type=Folder(), default="ecoaudit-demo", show_default=True)
def demo(output: Path) -> int:
    """Audit the bundled synthetic sample run (8 H100, one hour) into --output."""
    from ecoaudit import config
    from ecoaudit.resources import sample_logs_dir

    folder = sample_logs_dir() / "synthetic-8xh100"
    return _audit([str(folder)], config.load(folder / "ecoaudit.yml"), output, None, as_json=False)


@main.command()
def action() -> int:
    """Run as the GitHub Action: inputs from the environment, comment, check run, summary, outputs."""
    from ecoaudit.action import main as run_action

    return run_action(os.environ)
