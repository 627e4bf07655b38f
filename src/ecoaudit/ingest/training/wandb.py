"""Weights & Biases exports: history and system rows as JSON Lines, JSON or CSV, and `wandb-summary.json`."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import tables, values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import FormatInfo, ReadOptions, Record
from ecoaudit.ingest.training.scalars import TOTALS, Row, trainer_totals, training_log
from ecoaudit.ingest.training.settings import facts
from ecoaudit.ingest.training.steps import Steps
from ecoaudit.ingest.training.wandb_system import GpuMetrics, boards_of, metadata_near

FORMAT = FormatInfo(
    format="wandb",
    kind="training",
    title="Weights & Biases exports: history and system rows (JSON Lines, JSON, CSV), wandb-summary.json",
    reads=(
        "steps, loss and token scalars with the clock; evaluations by their runtime; GPU power, utilisation and limit "
        "of the system metrics; model, batch and precision of the config.yaml beside a summary"
    ),
    seen="rows with _timestamp, _runtime, _step; system rows gpu.N.powerWatts; old and new SDK intervals (30 s, 15 s)",
    cannot_tell="which GPUs of the node are the run's, unless gpu.process.N names them; `_step` is a row number",
)

NAME = "Weights & Biases"
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_RUN_FOLDER = re.compile(r"(?:offline-)?run-\d{8}_\d{6}-(\w+)")
_STEP_KEYS = ("train/global_step", "trainer/global_step", "_step")


def sniff(head: Head) -> str | None:
    """Recognise rows, or a summary, with W&B's own keys."""
    text = head.text.lstrip()
    if text.startswith(("{", "[")):
        if all(key in text for key in ('"_timestamp"', '"_runtime"', '"_step"')):
            return "JSON with _timestamp, _runtime and _step"
        return "JSON with gpu.N.powerWatts" if '.powerWatts"' in text and '"_t' in text else None
    names = _columns(text)
    if "_timestamp" in names and ("_runtime" in names or "_step" in names):
        return "CSV header with _timestamp and _runtime or _step"
    return None


def _columns(text: str) -> list[str]:
    first = text.split("\n", 1)[0].strip()
    return next((cells for _, cells, _ in tables.rows([(1, first)])), []) if "_timestamp" in first else []


def read(file: LogFile, options: ReadOptions) -> list[Record]:  # noqa: ARG001 - W&B times are UTC
    """Return the training log and, where the file has system rows, the telemetry of the node.

    Raises `EcoauditError` when there is neither.
    """
    account = Account()
    summary = _summary(file)
    if summary is not None:
        account.lines = account.records = 1
        return [_from_summary(file, summary, account)]
    history: list[Row] = []
    metrics = GpuMetrics()
    for number, text, row in _rows(file, account):
        account.records += 1
        time_s = values.clock_s(row.get("_timestamp", row.get("_ts")))
        if metrics.has_gpus(row):
            if math.isnan(time_s):
                account.bad(number, text, "a system row without a time")
            else:
                metrics.add(time_s, row)
        elif "_step" in row and not math.isnan(step := values.real(row["_step"])):
            history.append((int(step), time_s, scalars_of(row)))
    out: list[Record] = []
    if history:
        out.append(training_log(file, FORMAT.format, NAME, account, history))
    if metrics.readings.time_s:
        about = metadata_near(file)
        out.append(metrics.telemetry(file, FORMAT.format, account, boards_of(about), host=about.get("host")))
    if not out:
        raise EcoauditError("no history and no GPU row in the W&B export", where=file.path)
    return out


def scalars_of(row: Mapping[str, Any]) -> dict[str, float]:
    """Return a history row's numbers; W&B writes those that JSON has no word for as text."""
    out = {}
    for key, value in row.items():
        if key.startswith("_"):
            continue
        if isinstance(value, int | float) and not isinstance(value, bool):
            out[key] = values.real(value)
        elif isinstance(value, str) and value in _WORDS:
            out[key] = _WORDS[value]
    return out


def with_totals(history: list[Row], totals: Mapping[str, float]) -> None:
    """Put the Trainer's totals, which W&B keeps in the summary only, into the row that the Trainer logs at the end."""
    last = history[-1][2]
    if not any(key.startswith("eval") for key in last):
        last.update({key: value for key, value in totals.items() if key.rpartition("/")[2] in TOTALS})


def _rows(file: LogFile, account: Account) -> Iterator[tuple[int, str, dict[str, Any]]]:
    text = file.head.text.lstrip()
    if text.startswith("{"):
        return _json_lines(file, account)
    return _json_array(file, account) if text.startswith("[") else _csv(file, account)


def _json_lines(file: LogFile, account: Account) -> Iterator[tuple[int, str, dict[str, Any]]]:
    for number, text in file.lines():
        account.lines += 1
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            account.bad(number, text, "cut or not JSON")
            continue
        if isinstance(row, dict):
            yield number, text, row
        else:
            account.bad(number, text, "not an object")


def _json_array(file: LogFile, account: Account) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield the objects of an array, numbered from 1; one that is cut ends the rows."""
    text = file.text()
    account.lines = text.count("\n") + 1
    decoder = json.JSONDecoder()
    position = text.find("{")
    count = 0
    while position >= 0:
        count += 1
        try:
            row, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            account.bad(count, text[position : position + 120], "cut or not JSON")
            return
        yield count, text[position:end], row
        position = text.find("{", end)


def _csv(file: LogFile, account: Account) -> Iterator[tuple[int, str, dict[str, Any]]]:
    names: list[str] = []
    for number, cells, text in tables.rows(file.lines()):
        account.lines += 1
        if not names or cells == names:
            names = cells
        elif len(cells) != len(names):
            if text.strip():
                account.bad(number, text, f"{len(cells)} of {len(names)} columns")
        else:
            row = {}
            for name, cell in zip(names, cells, strict=True):
                try:
                    row[name] = float(cell)
                except ValueError:
                    continue  # text, media and the empty cells of rows that lack this name
            yield number, text, row


def _summary(file: LogFile) -> dict[str, Any] | None:
    """Return the object of a summary file: one JSON object and nothing behind it, `_runtime` inside."""
    if not file.head.complete:
        return None
    text = file.text().strip()
    if "\n{" in text:
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and "_runtime" in data else None


def _from_summary(file: LogFile, data: dict[str, Any], account: Account) -> Record:
    scalars = scalars_of(data)
    end, runtime = values.clock_s(data.get("_timestamp")), values.real(data.get("_runtime"))
    step = next((s for k in _STEP_KEYS if not math.isnan(s := values.real(data.get(k)))), None)
    known = not (math.isnan(end) or math.isnan(runtime))
    folder = next((m for part in Path(file.path).parts if (m := _RUN_FOLDER.fullmatch(part))), None)
    told = {key.rpartition("/")[2]: value for key, value in scalars.items()}
    totals = trainer_totals({key: value for key, value in told.items() if key in TOTALS}, step, account)
    tokens = next((v for k, v in scalars.items() if k.endswith(("num_input_tokens_seen", "num_tokens"))), None)
    return Steps().log(
        file,
        FORMAT.format,
        NAME,
        account,
        clock="utc" if known else "none",
        run_id=folder[1] if folder else None,
        last_step=values.whole(step),
        step_count=values.whole(step),
        job_start_s=end - runtime if known else None,
        job_end_s=end if known else None,
        tokens=tokens if tokens and math.isfinite(tokens) else None,
        **{"runtime_s": None if math.isnan(runtime) else runtime} | totals | facts(_config_beside(file)),
    )


def _config_beside(file: LogFile) -> dict[str, Any]:
    """Return the run's `config.yaml`, which W&B writes into the folder of the summary; empty without one."""
    if file.is_url or file.name != "wandb-summary.json":
        return {}
    path = Path(file.path).with_name("config.yaml")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return data if isinstance(data, dict) else {}
