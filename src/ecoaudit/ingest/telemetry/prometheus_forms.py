"""The forms in which series of Prometheus are kept: query answers, exports, `promtool` text and Grafana's CSV."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ecoaudit.ingest import tables, values
from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.stamps import Stamps, date_lines
from ecoaudit.ingest.telemetry.gpustat import objects

_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_NAMED = re.compile(r"^\s*([A-Za-z_:][\w:]*)?\{(.*)\}")
_PROMTOOL = re.compile(r"^(\S.*\})\s+=>\s*(?:(\S+) @\[([\d.]+)\])?\s*$")
_SAMPLE = re.compile(r"^(\S+) @\[([\d.]+)\]\s*$")


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its metric's name, None where a function took it away, its labels, and `(time, value)` pairs."""

    name: str | None
    labels: dict[str, str]
    samples: list[tuple[float, str]]


def labels_of(text: str) -> tuple[str | None, dict[str, str]] | None:
    """Return the name and labels of `name{label="value",...}`; the name may stand among the labels."""
    match = _NAMED.match(text)
    if match is None:
        return None
    labels = dict(_LABEL.findall(match[2]))
    return match[1] or labels.get("__name__"), labels


def from_json(text: str, account: Account) -> Iterator[Series]:
    """Yield the series of query answers one after another, and of VictoriaMetrics' exported lines."""
    for answer in objects(text, account):
        inner = answer.get("data", answer)
        result = inner.get("result") if isinstance(inner, dict) else None
        found = result if isinstance(result, list) else [answer] if "metric" in answer else []
        if answer.get("status") == "error":
            account.bad(0, str(answer)[:120], "the query failed")
        for series in found:
            if isinstance(series, dict) and isinstance(series.get("metric"), dict):
                yield _json_series(series, account)


def _json_series(series: dict[str, Any], account: Account) -> Series:
    labels = {str(k): str(v) for k, v in series["metric"].items()}
    stamps, numbers = series.get("timestamps"), series.get("values")
    if isinstance(stamps, list) and isinstance(numbers, list):
        pairs: list[Any] = [[values.real(t) / 1000.0, v] for t, v in zip(stamps, numbers, strict=False)]
    else:
        pairs = numbers if isinstance(numbers, list) else [series.get("value")]
    good = [p for p in pairs if isinstance(p, list) and len(p) == 2 and values.clock_s(p[0]) > 0]
    account.bad_lines += len(pairs) - len(good)
    return Series(labels.get("__name__"), labels, [(float(t), str(v)) for t, v in good])


def from_promtool(file: LogFile, account: Account) -> Iterator[Series]:
    """Yield the series that `promtool query range` prints: `name{...} =>` and lines of `value @[time]`."""
    current: Series | None = None
    for number, text in file.lines():
        account.lines += 1
        if head := _PROMTOOL.match(text):
            if current is not None:
                yield current
            named = labels_of(head[1])
            current = Series(*named, []) if named else None
            if current and head[2]:
                current.samples.append((float(head[3]), head[2]))
        elif (sample := _SAMPLE.match(text)) and current is not None:
            current.samples.append((float(sample[2]), sample[1]))
        elif text.strip():
            account.bad(number, text, "not a sample")
    if current is not None:
        yield current


def is_promtool(text: str) -> bool:
    """Return whether text is of `promtool query`."""
    return any(_PROMTOOL.match(line) for line in text.splitlines()[:20])


def grafana_columns(header: str) -> list[tuple[str | None, dict[str, str]]] | None:
    """Return name and labels of each column behind the time in a Grafana panel's CSV; None for another header."""
    cells = tables.cells_of(header)
    named = [labels_of(cell) for cell in cells[1:]]
    if len(cells) < 2 or cells[0].strip().lower() != "time" or not any(named):
        return None
    return [n or (None, {}) for n in named]


def from_grafana(file: LogFile, account: Account) -> Iterator[Series]:
    """Yield the columns of a panel's CSV ("series joined by time"); values may carry units."""
    stamps = Stamps.of(date_lines(file))
    columns: list[tuple[str | None, dict[str, str]]] = []
    found: list[list[tuple[float, str]]] = []
    for number, cells, text in tables.rows(file.lines()):
        account.lines += 1
        if not columns:
            columns = grafana_columns(text) or []
            found = [[] for _ in columns]
            continue
        if not text.strip():
            continue
        if len(cells) != len(columns) + 1:
            account.bad(number, text, f"{len(cells)} of {len(columns) + 1} columns")
            continue
        try:
            time_s = stamps.read(cells[0])
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        for samples, cell in zip(found, cells[1:], strict=True):
            if not values.is_missing(cell):
                samples.append((time_s, cell))
    if stamps.naive:
        account.warn("Grafana writes the browser's local time without its zone: taken as UTC")
    for (name, labels), samples in zip(columns, found, strict=True):
        yield Series(name, labels, samples)
