"""Cray: energy counters that `capmc get_node_energy_counter` prints, and lines of /sys/cray/pm_counters."""

import math
import re
from itertools import pairwise
from pathlib import PurePath
from typing import Any

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines
from ecoaudit.ingest.meters.build import meter
from ecoaudit.ingest.records import Clock, FormatInfo, MeterLog, ReadOptions, Record
from ecoaudit.ingest.telemetry.build import telemetry
from ecoaudit.ingest.telemetry.frame import Readings
from ecoaudit.ingest.telemetry.gpustat import objects

FORMAT = FormatInfo(
    format="cray",
    kind="meter",
    title="Cray capmc get_node_energy_counter JSON, pm_counters lines",
    reads="node energy counters as mean power between readings; node and accelerator watts of pm_counters",
    seen="capmc 1.x, PM counters 2 and 3: times since the epoch or since boot, names from the line or the file",
    cannot_tell="get_node_energy's place in time, single nodes of get_system_power; the side of the meter",
)

_LINE = re.compile(r"(?:(?:^|[\s/])(\w*(?:power|energy))\s*[:=\s]\s*)?(?:^|\s|:)(\d{1,9}) W (\d{6,17}) us\s*$")
_ACCELERATOR = re.compile(r"(?:accel|gpu)_?(\d{1,2})", re.IGNORECASE)
_PART = re.compile(r"cpu|mem", re.IGNORECASE)
_FIX = "poll capmc get_node_energy_counter, or read /sys/cray/pm_counters/power"


def sniff(head: Head) -> str | None:
    """Recognise capmc's answers, or at least two lines of a power counter."""
    if head.text.lstrip()[:1] == "{" and '"energy_ctr"' in head.text and '"nid"' in head.text:
        return "JSON with energy_ctr of capmc"
    if head.text.lstrip()[:1] == "{" and '"nid_count"' in head.text and '"energy"' in head.text:
        return "JSON with nid_count and energy of capmc"
    found = sum(_LINE.search(line) is not None for line in head.text.splitlines()[:50])
    return "lines of `N W N us` of Cray's power counters" if found > 1 else None


def read(file: LogFile, options: ReadOptions) -> list[Record]:
    """Return a meter log a node, telemetry for accelerators; raises `EcoauditError` without a series."""
    if file.head.text.lstrip()[:1] == "{":
        return list(_capmc(file, options))
    return _counters(file, options)


def _capmc(file: LogFile, options: ReadOptions) -> list[MeterLog]:
    account = Account()
    text = file.text()
    account.lines = text.count("\n") + 1
    nodes: dict[int, dict[float, float]] = {}
    naive = False
    for answer in objects(text, account):
        found = answer.get("nodes")
        for node in found if isinstance(found, list) else []:
            try:
                nid, joules, time_s, local = _reading(node)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                account.bad(0, str(node)[:120], f"no counter with a time: {error}")
                continue
            account.records += 1
            naive |= local
            nodes.setdefault(nid, {})[time_s] = joules
    logs = {nid: _powers(counter, account) for nid, counter in nodes.items() if len(counter) > 1}
    if not logs:
        raise EcoauditError("no node's energy counter at two times", where=file.path, fix=_FIX)
    account.warn("power is the mean between two readings of the energy counter")
    clock: Clock = "naive" if naive else "utc"
    return [meter(file, FORMAT.format, account, p, options, label=f"nid {n}", clock=clock) for n, p in logs.items()]


def _reading(node: dict[str, Any]) -> tuple[int, float, float, bool]:
    joules = values.real(node["energy_ctr"])
    if math.isnan(joules):
        raise ValueError("not a number")
    time_s, naive = values.parse_time(str(node["time"]))
    return int(node["nid"]), joules, time_s, naive


def _powers(counter: dict[float, float], account: Account) -> list[tuple[float, float]]:
    """Return `(time, W)`: the mean power of each interval at its end, and at the start that of the first."""
    times = sorted(counter)
    out: list[tuple[float, float]] = []
    for before, after in pairwise(times):
        joules = counter[after] - counter[before]
        if joules < 0:
            account.warn("an energy counter went back: that interval has no power")
            continue
        watts = joules / (after - before)
        out += [(before, watts), (after, watts)] if not out else [(after, watts)]
    return out


def _counters(file: LogFile, options: ReadOptions) -> list[Record]:
    account, readings = Account(), Readings()
    node: list[tuple[float, float]] = []
    epoch = True
    stem = PurePath(file.path).stem
    for number, text in console_lines(file):
        account.lines += 1
        match = _LINE.search(text)
        if match is None:
            if text.strip() and " J " not in text:
                account.bad(number, text, "not a power counter")
            continue
        name = match[1] or stem
        time_s = float(match[3]) / 1e6
        epoch &= time_s > 6.3e8
        accelerator = _ACCELERATOR.search(name)
        if accelerator:
            readings.add(time_s, int(accelerator[1]), float(match[2]))
        elif not _PART.search(name):
            node.append((time_s, float(match[2])))
        else:
            continue
        account.records += 1
    clock: Clock = "utc" if epoch else "none"
    if not epoch:
        account.warn("the counters' times count from boot: the log cannot be placed in time")
    out: list[Record] = []
    if readings.time_s:
        out.append(telemetry(file, FORMAT.format, account, readings, options, clock=clock))
    if node:
        out.append(meter(file, FORMAT.format, account, node, options, label=stem, clock=clock))
    if not out:
        raise EcoauditError("the counters are of parts of a node", where=file.path, fix=_FIX)
    return out
