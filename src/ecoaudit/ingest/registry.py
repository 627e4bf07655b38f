"""Every format that is understood, and how a file's format is found: by content, the first match in this order."""

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

from ecoaudit.ingest import prefix
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import clean
from ecoaudit.ingest.records import FormatInfo, ReadOptions, Record

_DEEP_BYTES = 4 * 1024 * 1024


class FormatModule(Protocol):
    """What a format's module provides."""

    FORMAT: FormatInfo

    def sniff(self, head: Head) -> str | None:
        """Return why the content is of this format, None if it is not."""
        ...

    def read(self, file: LogFile, options: ReadOptions) -> Sequence[Record]:
        """Return the records; raises `EcoauditError` when the file cannot be read at all."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A format's module and byte strings of which one must be in the head; so only likely modules are imported.

    A console may print for long before its own lines come, while lines of a library under it come early.
    `folder` marks a file that speaks for all files beside and below it.
    """

    module: str
    markers: tuple[bytes, ...]
    console: bool = False
    folder: bool = False


# Order matters where a file may hold two kinds: what names itself comes first, general shapes come last.
ENTRIES: tuple[Entry, ...] = (
    Entry("telemetry.ecoaudit_jsonl", (b"ecoaudit.telemetry/", b'"type":"sample"')),
    Entry("meters.mlperf_power", (b":::MLLOG",)),
    Entry("training.mllog", (b":::MLLOG",)),
    Entry("training.dllogger", (b'"elapsedtime"',), console=True),
    Entry("training.tensorboard", (b"brain.Event:",)),
    Entry("training.mlflow", (b"lifecycle_stage:",), folder=True),
    Entry("training.mlflow_db", (b"SQLite format 3",)),
    Entry("training.wandb_run", (b":W&B",), folder=True),
    Entry("training.wandb", (b"_timestamp", b".powerWatts")),
    Entry("training.hf_state", (b'"log_history"',)),
    Entry("training.hf_results", (b'"train_runtime"',)),
    Entry("training.hf_console", (b"{'loss'", b"{'train_", b"{'eval_loss'", b"{'grad_norm'"), console=True),
    Entry("training.nemo", (b"Training epoch ", b"global_step="), console=True),
    Entry("training.torchtitan", (b"tps:", b"wps:", b"Tokens per second:"), console=True),
    Entry("training.megatron", (b"iteration",), console=True),
    Entry("training.llmc", (b"tok/s", b"trl:", b"tel:"), console=True),
    Entry("training.nanogpt", (b"iter ", b"dt: ", b" train ", b"tok/sec", b" | loss "), console=True),
    Entry("training.modded_nanogpt", (b"step_avg:",), console=True),
    Entry("training.litgpt", (b"iter time:", b"iter_time"), console=True),
    Entry("training.nanotron", (b"_per_iteration_ms",), console=True),
    Entry("training.olmo", (b"[step=",), console=True),
    Entry("training.composer", (b"batch=", b"Train time/"), console=True),
    Entry("training.maxtext", (b"completed step:",), console=True),
    Entry("training.llama_factory", (b'"current_steps"',)),
    Entry(
        "training.deepspeed",
        (b"SamplesPerSec", b"[Rank ", b"iter time (s)", b"Latency:", b"E2E lat", b"Flops P"),
        console=True,
    ),
    Entry("training.lightning_csv", (b"epoch",)),
    Entry("telemetry.nvidia_smi_xml", (b"<nvidia_smi_log>",)),
    Entry("telemetry.nvidia_smi_query", (b"NVSMI LOG",)),
    Entry("telemetry.nvidia_smi_table", (b"NVIDIA-SMI",)),
    Entry("telemetry.gpustat", (b'"query_time"',)),
    Entry(
        "telemetry.prometheus", (b"DCGM_FI_", b"dcgm_", b"nvidia_", b"_power_con", b"_package_power", b'"resultType"')
    ),
    Entry("telemetry.dcgmi", (b"Entity", b"POWER")),
    Entry("telemetry.dmon", (b"gpu",)),
    Entry("telemetry.codecarbon", (b"energy_consumed",)),
    Entry("telemetry.zeus", (b"window_name",)),
    Entry("telemetry.rocm", (b"Power (W)", b'"socket_power"')),
    Entry("telemetry.rocm_csv", (b"ower (W)", b"socket_power", b"power_usage")),
    Entry("telemetry.powermetrics", (b"Sampled system activity", b"elapsed_ns")),
    Entry("meters.sacct", (b"ConsumedEnergy",)),
    Entry("meters.ipmi", (b"Watts",)),
    Entry("meters.cray", (b'"energy_ctr"', b'"nid_count"', b" us")),
    Entry("meters.redfish", (b"PowerConsumedWatts", b"PowerWatts", b"MetricValues")),
    Entry("telemetry.nvidia_smi_csv", (b"power", b"util", b" W", b"Power", b"Util")),
    Entry("meters.watts_csv", (b"att", b"ower", b"W", b"w,", b"P-", b"GPU", b"gpu")),
)


@dataclass(frozen=True, slots=True)
class Match:
    """The format that was found and why."""

    entry: Entry
    why: str


def load(entry: Entry) -> FormatModule:
    """Import a format's module."""
    return cast(FormatModule, importlib.import_module(f"ecoaudit.ingest.{entry.module}"))


def identify(file: LogFile) -> Match | None:
    """Return the format of a file by its first 64 KiB; of consoles, which begin with long preambles, by 4 MiB."""
    match = _identify(file.head)
    if (match is None or match.entry.console) and not file.head.complete and _is_text(file.head):
        match = _identify(file.sample(_DEEP_BYTES))
    return match


def recognise(file: LogFile) -> tuple[Match | None, Sequence[LogFile]]:
    """Return the format of a file and what to read: the file, or views of it without what wrappers put before lines.

    There is a view a task where `srun -l` wrote the telemetry of several.
    """
    match, view = identify(file), file
    while match is None:
        inner = prefix.stripped(view)
        if inner is None:
            return None, (file,)
        view = inner
        match = identify(view)
    if match.entry.module.startswith("training."):
        return match, (view,)
    if view is file and (inner := prefix.stripped(file)) is not None and inner.of_tasks:
        again = identify(inner)  # readings of several nodes must not run into one series
        if again is not None and again.entry is match.entry:
            view = inner
    return match, prefix.by_task(view) or (view,)


def _identify(head: Head) -> Match | None:
    if "\x1b" in head.text:
        head = replace(head, text=clean(head.text))
    raw = head.text.encode("utf-8", "replace") if b"\0" in head.raw[:4096] else head.raw
    for entry in ENTRIES:
        if any(marker in raw for marker in entry.markers):
            why = load(entry).sniff(head)
            if why is not None:
                return Match(entry, why)
    return None


def _is_text(head: Head) -> bool:
    start = head.text[:8192]
    return sum(start.count(chr(code)) for code in range(9)) < 0.02 * max(len(start), 1)


_BINARY = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive (unpack it first)"),
    (b"\x7fELF", "a program"),
    (b"PAR1", "a Parquet file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x80\x02", "a Python pickle"),
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer (get the file itself with: git lfs pull)"),
    (b"\x80\x04", "a Python pickle"),
)


def looks_like(head: Head) -> str:
    """Return in a few words what an unknown file seems to be, for the error message."""
    if head.damaged:
        rest = f"what could be read is {_looks_like(head)}" if head.raw else "nothing of it could be read"
        return f"a compressed file that is cut or corrupt ({rest})"
    return _looks_like(head)


def _looks_like(head: Head) -> str:
    raw, text = head.raw, head.text.lstrip()
    if not raw:
        return "an empty file"
    if raw[257:262] == b"ustar":
        return "a tar archive (unpack it first)"
    for magic, what in _BINARY:
        if raw.startswith(magic):
            return what
    if not _is_text(head) and "\0" in head.text[:4096]:
        return "binary data"
    if re.match(r"<(!doctype html|html)", text, re.IGNORECASE):
        return "an HTML page"
    if re.match(r"[{\[]\s*[{\[\]}\"\d]", text) and not re.match(r"\[\d{4}-", text):
        keys = re.findall(r'"([^"\n]{1,40})"\s*:', text[:2000])[:3]
        return f"JSON with the keys {', '.join(dict.fromkeys(keys))}" if keys else "JSON"
    first = text.splitlines()[0] if text else ""
    if first.startswith("#!") or re.match(r"(import|from) \w+", first):
        return "a script"
    if first.count(",") >= 2 or first.count("\t") >= 2:
        return f"a table whose first row is {first[:60]!r}"
    if not text:
        return "a file of blanks"
    return f"text that begins with {first[:60]!r}"
