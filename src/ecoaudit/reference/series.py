"""Hourly (or finer) grid intensity from a CSV file: times, g/kWh, and which of the three quantities it is.

Read are files with a time and an intensity column, in any order among others, and the exports of the Electricity Maps
data portal. What the file says of itself stands in lines before the header, `# basis: lifecycle`, `# zone: SE`,
`# source: ...`, or in columns of these names. An entry holds until the next one; where an entry is missing there is a
hole, never a guess.
"""

import csv
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.values import is_missing, localise, parse_time, zone
from ecoaudit.reference.types import Citation, GridBasis, IntensitySeries

DEFAULT_STEP_S = 3600.0
"""How long a single entry holds."""
HOLE = 1.5
"""An entry that the next one follows after more than this many median steps holds for one step; then comes a hole."""
MAX_BYTES = 64 * 2**20

_TIME = ("timestamp", "time", "datetime", "datetime (utc)", "date", "from", "start", "point_time")
_VALUE = ("g_per_kwh", "intensity", "carbon_intensity", "carbonintensity", "intensity_g_per_kwh", "gco2_per_kwh")
_PORTAL = re.compile(r"carbon intensity gco.?eq/kwh \((direct|life ?cycle|lca)\)", re.IGNORECASE)
_COMMENT = re.compile(r"#\s*(basis|zone|source|year|licence|license)\s*[:=]\s*(.+?)\s*", re.IGNORECASE)
_BASES = tuple(basis for basis in get_args(GridBasis) if basis != "as given")


def read_series(path: Path, *, zone_code: str | None, basis: GridBasis | None, timezone: str | None) -> IntensitySeries:
    """Return the series in the file at `path`; raises `EcoauditError` naming the line that is wrong.

    `zone_code` and `basis` stand in where the file does not say; `timezone` is that of times without one.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise EcoauditError(f"an intensity series is smaller than {MAX_BYTES >> 20} MiB", where=str(path))
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise EcoauditError(f"cannot read the intensity series: {error}", where=str(path)) from error
    return parse_series(text, where=str(path), zone_code=zone_code, basis=basis, timezone=timezone)


def parse_series(
    text: str, *, where: str, zone_code: str | None, basis: GridBasis | None, timezone: str | None
) -> IntensitySeries:
    """Return the series in the CSV `text`; raises `EcoauditError` naming the line that is wrong."""
    said, first = _comments(text)
    lines = text.splitlines()[first:]
    if not lines:
        raise EcoauditError("the intensity series is empty", where=where)
    delimiter = max(",;\t", key=lines[0].count)
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)
    header = [cell.strip().lower() for cell in next(reader)]
    chosen = _stated_basis(said.get("basis"), basis, where)
    time_at = _column(header, _TIME, "time", where)
    value_at, portal_basis = _value_column(header, chosen, where)
    chosen = _agree(chosen, portal_basis, where)
    times, naive, values = [], [], []
    extra = {name: set[str]() for name in ("basis", "zone")}
    names = {name: header.index(name) for name in extra if name in header}
    if "zone id" in header:
        names["zone"] = header.index("zone id")
    for number, row in enumerate(reader, first + 2):
        if not any(cell.strip() for cell in row):
            continue
        try:
            seconds, without_zone = parse_time(row[time_at])
            values.append(math.nan if is_missing(row[value_at]) else float(row[value_at]))
        except (ValueError, IndexError) as error:
            raise EcoauditError(f"not a time and an intensity: {error}", where=f"{where}:{number}") from error
        times.append(seconds)
        naive.append(without_zone and "utc" not in header[time_at])
        for name, at in names.items():
            if at < len(row) and row[at].strip():
                extra[name].add(row[at].strip())
    for name, found in extra.items():
        if len(found) > 1:
            raise EcoauditError(f"the series mixes several {name}s: {', '.join(sorted(found))}", where=where)
    chosen = _agree(chosen, _stated_basis(next(iter(extra["basis"]), None), None, where), where)
    if chosen is None:
        raise EcoauditError(
            "the series does not say what it is: lifecycle, direct or marginal",
            where=where,
            fix="write `# basis: lifecycle` above the header, or give --intensity-basis",
        )
    own_zone = next(iter(extra["zone"]), None) or said.get("zone")
    _same_country(own_zone, zone_code, where)
    return series_of(
        _clock(np.array(times), np.array(naive, dtype=bool), timezone, where),
        values,
        basis=chosen,
        zone_code=own_zone or zone_code or "given",
        citation=Citation(
            source=said.get("source", f"given by the user ({Path(where).name})"),
            year=said.get("year"),
            licence=said.get("licence") or said.get("license"),
        ),
        where=where,
    )


def series_of(
    starts_s: Sequence[float] | np.ndarray,
    g_per_kwh: Sequence[float],
    *,
    basis: GridBasis,
    zone_code: str,
    citation: Citation,
    where: str,
) -> IntensitySeries:
    """Return a series of entries at `starts_s` (Unix s, any order), with NaN where an entry is missing.

    Raises `EcoauditError` for no entry at all, a negative or infinite one, or two that differ at one time.
    """
    order = np.argsort(np.asarray(starts_s, dtype=np.float64), kind="stable")
    times = np.asarray(starts_s, dtype=np.float64)[order]
    values = np.asarray(g_per_kwh, dtype=np.float64)[order]
    known = ~np.isnan(values)
    times, values = times[known], values[known]
    if not times.size:
        raise EcoauditError("the intensity series holds no value", where=where)
    if (values < 0).any() or np.isinf(values).any():
        raise EcoauditError("an intensity is negative or infinite", where=where)
    again = np.diff(times) == 0
    if (again & (np.diff(values) != 0)).any():
        at = float(times[1:][again & (np.diff(values) != 0)][0])
        raise EcoauditError(f"two different intensities at one time ({at:.0f} s since 1970)", where=where)
    keep = np.concatenate(([True], ~again))
    times, values = times[keep], values[keep]
    steps = np.diff(times)
    step = float(np.median(steps)) if steps.size else DEFAULT_STEP_S
    holes = np.flatnonzero(steps > HOLE * step)
    return IntensitySeries(
        time_s=np.insert(times, holes + 1, times[holes] + step),
        g_per_kwh=np.insert(values, holes + 1, math.nan),
        end_s=float(times[-1]) + step,
        basis=basis,
        zone=zone_code,
        citation=citation,
    )


def _comments(text: str) -> tuple[dict[str, str], int]:
    """Return what the lines before the header say, and the number of these lines."""
    said: dict[str, str] = {}
    count = 0
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            break
        count += 1
        if match := _COMMENT.fullmatch(line.strip()):
            said[match[1].lower()] = match[2]
    return said, count


def _column(header: Sequence[str], names: Sequence[str], what: str, where: str) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    raise EcoauditError(
        f"the intensity series has no {what} column",
        where=where,
        fix=f"name it {names[0]!r}; the columns are {', '.join(header[:8])}",
    )


def _value_column(header: Sequence[str], basis: GridBasis | None, where: str) -> tuple[int, GridBasis | None]:
    """Return the intensity's column and, where its name tells, its basis."""
    portal: dict[GridBasis, int] = {
        "direct" if match[1].lower() == "direct" else "lifecycle": at
        for at, name in enumerate(header)
        if (match := _PORTAL.fullmatch(name))
    }
    if not portal:
        return _column(header, _VALUE, "intensity", where), None
    if basis is None and len(portal) > 1:
        raise EcoauditError(
            "the series holds direct and lifecycle intensities", where=where, fix="choose with --intensity-basis"
        )
    wanted = basis or next(iter(portal))
    if wanted not in portal:
        raise EcoauditError(f"the series holds no {wanted} intensity", where=where)
    return portal[wanted], wanted


def _stated_basis(text: str | None, default: GridBasis | None, where: str) -> GridBasis | None:
    if text is None:
        return default
    word = {"life cycle": "lifecycle", "life-cycle": "lifecycle", "lca": "lifecycle"}.get(text.lower(), text.lower())
    if word not in _BASES:
        raise EcoauditError(f"unknown basis {text!r}", where=where, fix=f"it is one of {', '.join(_BASES)}")
    return _agree(cast(GridBasis, word), default, where)


def _agree(first: GridBasis | None, second: GridBasis | None, where: str) -> GridBasis | None:
    """Return the one basis that is stated; raises `EcoauditError` where two are: they are never mixed."""
    if first is not None and second is not None and first != second:
        raise EcoauditError(
            f"the series is said to be {first} and {second}: different quantities",
            where=where,
            fix="correct the file's basis or --intensity-basis",
        )
    return first or second


def _same_country(own: str | None, wanted: str | None, where: str) -> None:
    if own and wanted and own.upper().split("-")[0] != wanted.upper().split("-")[0]:
        raise EcoauditError(
            f"the series is of {own}, the run was in {wanted}", where=where, fix="give the series of the run's zone"
        )


def _clock(times: np.ndarray, naive: np.ndarray, timezone: str | None, where: str) -> np.ndarray:
    """Return Unix s of all entries; local times need their zone."""
    if not naive.any():
        return times
    if timezone is None:
        raise EcoauditError(
            "the times of the intensity series have no zone", where=where, fix="write them with Z, or give --timezone"
        )
    newest_first = times.size > 1 and times[0] > times[-1]
    local = np.where(naive, times, np.nan)[:: -1 if newest_first else 1]
    # The repeated hour of autumn is told apart by order. Hourly, its two entries read the same: the first is moved on a
    # little, so that the second goes back.
    nudge = np.zeros_like(local)
    nudge[:-1][local[1:] == local[:-1]] = 2.0
    moved = (localise(local + nudge, zone(timezone)) - nudge)[:: -1 if newest_first else 1]
    return np.where(naive, moved, times)
