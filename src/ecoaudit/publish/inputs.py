"""The action's inputs and outputs: their names, defaults and meanings, and how INPUT_* becomes frozen settings."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from ecoaudit import config
from ecoaudit.config import Budget, Config
from ecoaudit.errors import EcoauditError
from ecoaudit.publish.plan import Policy

DEFAULT_CONFIG = ".github/ecoaudit.yml"


@dataclass(frozen=True, slots=True)
class Input:
    """An input of action.yml. The code's default is `default`, except where GitHub fills in an expression."""

    name: str
    default: str
    description: str


@dataclass(frozen=True, slots=True)
class Output:
    """An output of action.yml."""

    name: str
    description: str


INPUTS = (
    Input("telemetry", "", "GPU telemetry and meter logs: paths, folders or globs, one a line."),
    Input("logs", "", "Training logs of the same run: paths, folders or globs, one a line."),
    Input("audit", "", "audit.json of runs audited elsewhere (paths or globs, one a line): judge and publish only."),
    Input("artifact-name", "ecoaudit", "Artifact with audit.json: read by workflow_run, and as a baseline."),
    Input("config", DEFAULT_CONFIG, "Configuration file; the default may be absent."),
    Input("project", "", "Project name; runs of one project are compared, several share the comment."),
    Input("region", "", "Cloud region, such as aws:eu-north-1: sets grid intensity, PUE and price."),
    Input("zone", "", "Grid zone, such as SE or US-VA, where there is no cloud region."),
    Input("intensity", "", "Grid intensity in g CO₂e/kWh."),
    Input("intensity-basis", "", "lifecycle, direct, marginal or as given: what it is, or which one to ask for."),
    Input("grid-provider", "", "Asked for the intensity over time: electricitymaps, ukcarbonintensity or a URL."),
    Input("pue", "", "Power usage effectiveness of the site."),
    Input("price-per-gpu-hour", "", "Price of a GPU-hour in USD."),
    Input("gpu", "", "GPU that the run ran on, such as H100 SXM, where no log tells."),
    Input("gpus", "", "GPUs of the whole run, where no log tells."),
    Input("nodes", "", "Nodes that these GPUs were on."),
    Input("node-gpus", "", "GPUs in a node, where the run had only some of them."),
    Input("own-gpus", "", "The run's GPUs where the logs hold others' too: indices (0-3,6) or UUIDs."),
    Input("cooling", "", "Cooling of the nodes: air, liquid or immersion; narrows the node model."),
    Input("host-power-w", "", "Power of a node at the wall without its GPUs, in W."),
    Input("calibration", "", "File that `ecoaudit calibrate` fitted on your own nodes."),
    Input("timezone", "", "Zone of logs in local time, such as Europe/Berlin."),
    Input("model", "", "Known model that was trained, such as llama2-7b: for FLOPs and MFU."),
    Input("params", "", "Parameters of the trained model, such as 7e9."),
    Input("carbon-budget-kg", "", "Fail when the run emits more than this many kg CO₂e."),
    Input("energy-budget-kwh", "", "Fail when the run uses more than this many kWh."),
    Input("cost-budget-usd", "", "Fail when the run costs more than this many USD."),
    Input("max-increase-percent", "", "Fail when J/token (else kWh) rises by more than this over the baseline."),
    Input("baseline", "", "audit.json of the base run; without it the base branch's runs are searched."),
    Input("on-missing-baseline", "", "pass, warn or fail; default: what the configuration says, else pass."),
    Input("comment", "update", "Pull-request comment: update (one, kept up to date), new (one a run) or off."),
    Input("charts-branch", "", "Branch for charts and badges, made and owned by the action (push jobs); empty: off."),
    Input("check", "on", "Check run on the head commit: on or off."),
    Input("fail-on", "fail", "Exit with 1 on: fail, warn (also inconclusive), or never. The check is not changed."),
    Input(
        "report-dir",
        "ecoaudit-report",
        "Folder in the workspace for audit.json, report.md, report.html, charts/ and badges.",
    ),
    Input("github-token", "${{ github.token }}", "Token for the comment, the check run and the baseline."),
)

OUTPUTS = (
    Output("verdict", "pass, inconclusive, warn or fail."),
    Output("carbon-kg", "Carbon of the run in kg CO₂e; empty when not known."),
    Output("energy-kwh", "Energy of the run in kWh, at the boundary that the report names; empty when not known."),
    Output("cost-usd", "Cost of the run in USD; empty when not known."),
    Output("carbon-delta-percent", "Change of operational carbon from the baseline in percent; empty without one."),
    Output("audit-json", "Path of audit.json, relative to the workspace."),
    Output("report-md", "Path of report.md, relative to the workspace."),
    Output("report-html", "Path of report.html, relative to the workspace."),
    Output("comment-url", "Address of the pull-request comment; empty when none was written."),
    Output("check-url", "Address of the check run; empty when none was created."),
)

OVERRIDES = {
    "project": "project",
    "region": "region",
    "zone": "zone",
    "intensity": "intensity_g_per_kwh",
    "intensity-basis": "intensity_basis",
    "grid-provider": "grid_provider",
    "pue": "pue",
    "price-per-gpu-hour": "price_per_gpu_hour",
    "gpu": "hardware_gpu",
    "gpus": "hardware_gpus",
    "nodes": "hardware_nodes",
    "node-gpus": "node_gpu_count",
    "own-gpus": "own_gpus",
    "cooling": "cooling",
    "host-power-w": "host_power_w",
    "timezone": "timezone",
    "model": "model_preset",
    "params": "model_params",
    "on-missing-baseline": "on_missing_baseline",
}
"""Inputs that set a key of the configuration; `hardware_gpu` is `gpu` of the group `hardware`."""
_BRANCH = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._/-]{0,98}[A-Za-z0-9_])?")
_NUMBERS = frozenset({"intensity", "pue", "price-per-gpu-hour", "host-power-w", "params"})
_COUNTS = frozenset({"gpus", "nodes", "node-gpus"})
_WORDS = frozenset({"auto"})
_BUDGETS: tuple[tuple[str, config.Metric, Literal["max", "max_increase_percent"]], ...] = (
    ("carbon-budget-kg", "carbon_kg", "max"),
    ("energy-budget-kwh", "energy_kwh", "max"),
    ("cost-budget-usd", "cost_usd", "max"),
    ("max-increase-percent", "workload", "max_increase_percent"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The action's inputs, read and checked. Paths are as given; `overrides` are keys of the configuration."""

    logs: tuple[str, ...] = ()
    audits: tuple[str, ...] = ()
    artifact_name: str = "ecoaudit"
    config: str = DEFAULT_CONFIG
    calibration: str = ""
    baseline: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    budgets: tuple[Budget, ...] = ()
    policy: Policy = field(default_factory=Policy)
    fail_on: Literal["fail", "warn", "never"] = "fail"
    report_dir: str = "ecoaudit-report"
    charts_branch: str = ""
    token: str = field(default="", repr=False)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings in the INPUT_* variables; an absent or empty one means its default.

    Raises `EcoauditError` that names the input.
    """
    values = {item.name: _value(environ, item) for item in INPUTS}
    overrides: dict[str, Any] = {}
    for name, key in OVERRIDES.items():
        if values[name]:
            overrides[key] = _read(name, values[name])
    return Settings(
        logs=(*_lines(values["telemetry"]), *_lines(values["logs"])),
        audits=_lines(values["audit"]),
        artifact_name=values["artifact-name"],
        config=values["config"],
        calibration=values["calibration"],
        baseline=values["baseline"],
        overrides=overrides,
        budgets=tuple(_budgets(values)),
        policy=Policy(
            comment=_choice("comment", values["comment"], ("update", "new", "off")),
            check=_choice("check", values["check"], ("on", "off")),
        ),
        fail_on=_choice("fail-on", values["fail-on"], ("fail", "warn", "never")),
        report_dir=values["report-dir"],
        charts_branch=_branch(values["charts-branch"]),
        token=values["github-token"] or environ.get("GITHUB_TOKEN", ""),
    )


def merge(data: bytes | None, settings: Settings, *, where: str) -> Config:
    """Return the configuration in the YAML `data` (None: no file) with the inputs over it."""
    base = config.decode(data, where=where) if data is not None else Config()
    names = {key: f"input {name}" for name, key in OVERRIDES.items()}
    merged = config.override(base, settings.overrides, where="action", names=names)
    given = {(budget.metric, budget.max is None) for budget in settings.budgets}
    kept = [budget for budget in merged.budgets if (budget.metric, budget.max is None) not in given]
    return msgspec.structs.replace(merged, budgets=(*kept, *settings.budgets))


def inside(workspace: Path, text: str, name: str) -> Path:
    """Return the path `text` (relative to the workspace, or below it) resolved; raises when it leads out of it."""
    root = workspace.resolve()
    path = (root / text).resolve()
    if not path.is_relative_to(root):
        raise EcoauditError(f"{text!r} leads out of the workspace", where=f"input {name}")
    return path


def expand(workspace: Path, patterns: tuple[str, ...], name: str) -> list[str]:
    """Return the files and folders that `patterns` name, all inside the workspace; addresses (s3://...) stay as given.

    Raises `EcoauditError` for a pattern that matches nothing.
    """
    found: list[str] = []
    for pattern in patterns:
        if "://" in pattern:
            found.append(pattern)
            continue
        relative = _relative(workspace, pattern, name)
        matches = sorted(workspace.glob(relative)) if any(c in relative for c in "*?[") else [workspace / relative]
        if not matches or not matches[0].exists():
            raise EcoauditError(
                f"nothing matches {pattern!r}",
                where=f"input {name}",
                fix="paths are relative to the workspace; a container sees nothing else of the runner",
            )
        found += [str(inside(workspace, str(match), name)) for match in matches]
    return list(dict.fromkeys(found))


def _relative(workspace: Path, pattern: str, name: str) -> str:
    path = Path(pattern)
    if path.is_absolute():
        if not path.is_relative_to(workspace):
            raise EcoauditError(f"{pattern!r} leads out of the workspace", where=f"input {name}")
        path = path.relative_to(workspace)
    if ".." in path.parts:
        raise EcoauditError(f"{pattern!r} leads out of the workspace", where=f"input {name}", fix="leave out '..'")
    return str(path)


def _value(environ: Mapping[str, str], item: Input) -> str:
    # The runner upper-cases the name and keeps its hyphens (actions/runner, src/Runner.Worker/Handlers).
    text = environ.get(f"INPUT_{item.name.upper()}", "").strip()
    return text or ("" if item.default.startswith("${{") else item.default)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _read(name: str, text: str) -> str | float:
    """Return the value that an input means to the configuration."""
    if name in _COUNTS:
        if not text.isdecimal():
            raise EcoauditError(f"{text!r} is not a whole number", where=f"input {name}")
        return int(text)
    return _number(name, text) if name in _NUMBERS and text not in _WORDS else text


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise EcoauditError(f"{text!r} is not a number", where=f"input {name}")
    return value


def _branch(text: str) -> str:
    """Return `text` if git takes it for a branch name (a careful part of git-check-ref-format's rules)."""
    text = text.removeprefix("refs/heads/")
    bad = (not _BRANCH.fullmatch(text)) or any(word in text for word in ("..", "//", "/.")) or text.endswith(".lock")
    if text and bad:
        raise EcoauditError(
            f"{text!r} is not a branch name", where="input charts-branch", fix="such as ecoaudit-charts"
        )
    return text


def _choice(name: str, text: str, allowed: tuple[Any, ...]) -> Any:
    if text not in allowed:
        raise EcoauditError(f"{text!r} is not one of {', '.join(allowed)}", where=f"input {name}")
    return text


def _budgets(values: Mapping[str, str]) -> list[Budget]:
    budgets = []
    for name, metric, key in _BUDGETS:
        if not values[name]:
            continue
        limit = _number(name, values[name])
        if limit < 0:
            raise EcoauditError(f"a budget cannot be negative: {values[name]}", where=f"input {name}")
        budgets.append(
            Budget(metric=metric, max=limit) if key == "max" else Budget(metric=metric, max_increase_percent=limit)
        )
    return budgets
