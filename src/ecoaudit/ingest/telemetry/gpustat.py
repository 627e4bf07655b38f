"""`gpustat --json`: one object a sample, one after another, in lines or in a list."""

import json
import math
from collections.abc import Iterator
from typing import Any

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import Clock, FormatInfo, GpuInfo, ReadOptions, Telemetry
from ecoaudit.ingest.telemetry.build import telemetry
from ecoaudit.ingest.telemetry.frame import Readings

FORMAT = FormatInfo(
    format="gpustat",
    kind="telemetry",
    title="gpustat --json",
    reads="power in whole watts, utilisation, enforced limit, names, UUIDs, host",
    seen="gpustat 0.6 to 1.1, appended objects and JSON lines",
    cannot_tell="the time zone of older versions, the energy counter",
)


def sniff(head: Head) -> str | None:
    """Recognise the object's keys."""
    text = head.text
    if text.lstrip()[:1] in "{[" and '"query_time"' in text and '"gpus"' in text:
        return "JSON with query_time and gpus"
    return None


def objects(text: str, account: Account) -> Iterator[dict[str, Any]]:
    """Yield JSON objects one after another, whatever stands between them; a damaged one is counted."""
    decoder = json.JSONDecoder()
    position = text.find("{")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(text, position)
        except (json.JSONDecodeError, RecursionError):
            account.bad(text.count("\n", 0, position) + 1, text[position : position + 120], "cut or not JSON")
            end = text.find("\n{", position + 1)
            if end < 0:
                return
            position = end + 1
            continue
        if isinstance(value, dict):
            yield value
        position = text.find("{", end)


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:
    """Return one `Telemetry` a host."""
    account = Account()
    text = file.text()
    account.lines = text.count("\n") + 1
    hosts: dict[str | None, Readings] = {}
    clock: Clock = "utc"
    for sample in objects(text, account):
        try:
            time_s, naive = values.parse_time(str(sample["query_time"]))
            gpus = [(values.gpu_index(g["index"]), g) for g in sample["gpus"]]
        except (ValueError, KeyError, TypeError) as error:
            account.bad(0, str(sample)[:120], f"not a sample: {error}")
            continue
        clock = "naive" if naive else clock
        account.records += 1
        host = sample.get("hostname")
        readings = hosts.setdefault(host if isinstance(host, str) else None, Readings())
        for index, gpu in gpus:
            readings.add(time_s, index, _number(gpu, "power.draw"), _number(gpu, "utilization.gpu"))
            limit, memory = _number(gpu, "enforced.power.limit"), _number(gpu, "memory.total")
            readings.info.setdefault(
                index,
                GpuInfo(
                    index=index,
                    uuid=gpu.get("uuid"),
                    name=gpu.get("name"),
                    power_limit_w=None if math.isnan(limit) else limit,
                    memory_mib=None if math.isnan(memory) else memory,
                ),
            )
    return [
        telemetry(file, FORMAT.format, account, readings, options, clock=clock, host=host, same_tick_s=0.0)
        for host, readings in (hosts or {None: Readings()}).items()
    ]


def _number(gpu: dict[str, Any], key: str) -> float:
    return values.real(gpu.get(key))
