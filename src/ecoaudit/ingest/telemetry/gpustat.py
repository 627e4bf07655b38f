"""`gpustat --json`: one object a sample, one after another, in lines or in a list."""

import json
import math
import re
from collections.abc import Hashable, Iterator
from typing import Any

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import Clock, FormatInfo, GpuInfo, ReadOptions, Telemetry
from ecoaudit.ingest.telemetry.build import telemetry
from ecoaudit.ingest.telemetry.frame import Readings
from ecoaudit.ingest.telemetry.tenants import tenants

FORMAT = FormatInfo(
    format="gpustat",
    kind="telemetry",
    title="gpustat --json",
    reads="power in whole watts, utilisation, enforced limit, names, UUIDs, host; who else used the node: GPUs without "
    "a process beside one user's are left out",
    seen="gpustat 0.6 to 1.1, appended objects and JSON lines",
    cannot_tell="the time zone of older versions, the energy counter; whose the run is beside several users' processes",
)

# Processes that show pictures or share a GPU out, whoever owns them, are nobody's job.
_SERVICES = re.compile(
    r"X(?:org|wayland)?$|gnome-|kwin|plasma|mutter|compiz|sddm|gdm|nvidia-cuda-mps|dcgm|firefox|chrom"
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
    users: dict[str | None, dict[Hashable, set[str]]] = {}
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
        used_by = users.setdefault(host if isinstance(host, str) else None, {})
        for index, gpu in gpus:
            used_by.setdefault(index, set()).update(_users(gpu))
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
    others = {host: _others(used_by, account) for host, used_by in users.items()}
    out = []
    for host, readings in (hosts or {None: Readings()}).items():
        left_out = others.get(host, frozenset())
        total = len(set(readings.gpu)) if left_out else None
        kept = readings.without(left_out)
        one = telemetry(
            file, FORMAT.format, account, kept, options, clock=clock, host=host, same_tick_s=0.0, node_gpu_count=total
        )
        out.append(one)
    return out


def _users(gpu: dict[str, Any]) -> set[str]:
    """Return who has a job's process on a GPU."""
    processes = gpu.get("processes")
    return {
        str(p["username"])
        for p in (processes if isinstance(processes, list) else ())
        if isinstance(p, dict) and p.get("username") and not _SERVICES.match(str(p.get("command", "")))
    }


def _others(used_by: dict[Hashable, set[str]], account: Account) -> frozenset[Hashable]:
    """Return the GPUs of a node that are not the run's; say so without a user's name."""
    shared = tenants(used_by)
    if len(shared.owners) > 1:
        groups = "; ".join(
            f"user {n}: GPU {', '.join(str(g) for g, users in sorted(used_by.items(), key=str) if owner in users)}"
            for n, owner in enumerate(shared.owners, start=1)
        )
        account.warn(
            f"{len(shared.owners)} users had processes on the node's GPUs ({groups}): all are counted; "
            "name the run's with --own-gpus"
        )
    if shared.left_out:
        account.warn(
            f"{len(shared.left_out)} of the node's {len(used_by)} GPUs never had a process beside the run's: left out"
        )
    return shared.left_out


def _number(gpu: dict[str, Any], key: str) -> float:
    return values.real(gpu.get(key))
