"""`ecoaudit publish DIR`: publish a finished audit from a runner without Docker, or show what would be done."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ecoaudit.errors import EcoauditError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecoaudit.publish.event import Context


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--config", "config_path", help="Configuration file with the budgets.")
@click.option("--base", type=click.Path(path_type=Path), help="audit.json of the base run; else GitHub is searched.")
@click.option("--comment", type=click.Choice(["update", "new", "off"]), default="update", show_default=True)
@click.option("--check", type=click.Choice(["on", "off"]), default="on", show_default=True)
@click.option("--dry-run", is_flag=True, help="Print the effects as JSON and change nothing on GitHub.")
@click.option("--allow-http", is_flag=True, help="Allow a plain http API address that is not on this machine.")
def publish(
    folder: Path,
    config_path: str | None,
    base: Path | None,
    comment: Literal["update", "new", "off"],
    check: Literal["on", "off"],
    dry_run: bool,
    allow_http: bool,
) -> int:
    """Judge DIR/audit.json and publish it on GitHub: comment, check run, job summary.

    Takes its token from GITHUB_TOKEN and the event from the runner's variables. Exits with 1 when a budget fails.
    """
    from ecoaudit import pipeline
    from ecoaudit.action import exit_code
    from ecoaudit.publish import deliver, effects, inputs
    from ecoaudit.publish.activity import decide
    from ecoaudit.publish.address import check_address
    from ecoaudit.publish.api import Api
    from ecoaudit.publish.execute import Runner, execute
    from ecoaudit.publish.plan import Policy

    environ = os.environ
    context = _context(environ, dry_run=dry_run)
    check_address(context.api_url, allow_http=allow_http)
    token = environ.get("GITHUB_TOKEN", "")
    activity = decide(context)
    if not activity.trusted:
        raise EcoauditError(
            f"{context.event} runs with a token that can write beside a stranger's files",
            fix="use the action, which takes the configuration from the base branch",
        )
    config_name = config_path or inputs.DEFAULT_CONFIG
    text = _config_text(config_name, required=config_path is not None)
    job = deliver.Job(
        context=context,
        activity=activity,
        api=Api(context.api_url, context.repository, token) if token else None,
        config=inputs.merge(text, inputs.Settings(), where=config_name),
        policy=Policy(comment=comment, check=check),
        runner=Runner(summary=_path(environ, "GITHUB_STEP_SUMMARY"), outputs=_path(environ, "GITHUB_OUTPUT")),
        now=datetime.now(UTC),
        artifact_name=inputs.Settings().artifact_name,
        config_path=config_name,
        config_text=text,
        explicit_base=pipeline.read_audit(base) if base else None,
        explicit_base_name=str(base or ""),
    )
    item = deliver.judged(pipeline.read_audit(folder / "audit.json"), job)
    planned = deliver.effects_of(item, job, {})
    if dry_run:
        click.echo(effects.to_json(planned))
        return exit_code(item.verdict.outcome, "fail")
    done = execute(planned, job.api, job.runner, fork=activity.fork)
    return 2 if done.failed else exit_code(item.verdict.outcome, "fail")


def _context(environ: "Mapping[str, str]", *, dry_run: bool) -> "Context":
    """Return the job's context; a dry run outside of GitHub gets one without an event."""
    from ecoaudit.publish.event import NO_COMMIT, Context, read_context

    if not dry_run or environ.get("GITHUB_EVENT_NAME"):
        return read_context(environ)
    return Context(
        event="none (not in a GitHub job)",
        repository="-/-",
        sha=NO_COMMIT,
        ref="",
        run_id=0,
        run_number=0,
        run_attempt=1,
        workflow="",
        job="",
        actor="",
        server_url="https://github.com",
        api_url="https://api.github.com",
        default_branch=None,
        subject=None,
    )


def _config_text(name: str, *, required: bool) -> bytes | None:
    path = Path(name)
    if not required and not path.is_file():
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise EcoauditError(f"cannot read the configuration: {error.strerror}", where=name) from error


def _path(environ: "Mapping[str, str]", name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None
