"""Intensity series from files: what is read, what a hole is, and what is refused."""

import math
from pathlib import Path

import numpy as np
import pytest

from ecoaudit.errors import EcoauditError
from ecoaudit.reference.series import parse_series, read_series
from ecoaudit.reference.types import GridBasis, IntensitySeries

JANUARY = 1_767_225_600.0  # 2026-01-01T00:00Z


def parse(
    text: str, *, zone: str | None = "SE", basis: GridBasis | None = "lifecycle", timezone: str | None = None
) -> IntensitySeries:
    return parse_series(text, where="grid.csv", zone_code=zone, basis=basis, timezone=timezone)


def test_what_the_file_says_of_itself_is_kept() -> None:
    found = parse(
        "# basis: direct\n# zone: SE-SE3\n# source: Svenska kraftnät\n# year: 2026\n# licence: CC0\n"
        "timestamp,g_per_kwh\n2026-01-01T00:00Z,20\n2026-01-01T01:00Z,30.5\n",
        basis=None,
    )
    assert (found.basis, found.zone, found.citation.source) == ("direct", "SE-SE3", "Svenska kraftnät")
    assert (found.citation.year, found.citation.licence) == ("2026", "CC0")
    np.testing.assert_array_equal(found.time_s, [JANUARY, JANUARY + 3600])
    np.testing.assert_array_equal(found.g_per_kwh, [20.0, 30.5])
    assert found.end_s == JANUARY + 7200


def test_times_with_any_zone_and_epochs_are_one_clock() -> None:
    found = parse("timestamp,g_per_kwh\n2026-01-01T01:00:00+01:00,1\n1767229200,2\n2026-01-01T02:00:00Z,3\n")
    np.testing.assert_array_equal(found.time_s, JANUARY + 3600.0 * np.arange(3))


def test_rows_may_stand_in_any_order_and_twice() -> None:
    found = parse("g_per_kwh;time\n2;2026-01-01T01:00Z\n1;2026-01-01T00:00Z\n2;2026-01-01T01:00Z\n")
    np.testing.assert_array_equal(found.g_per_kwh, [1.0, 2.0])


def test_missing_entries_are_a_hole_not_the_entry_before() -> None:
    found = parse(
        "timestamp,g_per_kwh\n2026-01-01T00:00Z,1\n2026-01-01T01:00Z,2\n2026-01-01T02:00Z,\n2026-01-01T05:00Z,3\n"
        "2026-01-01T06:00Z,4\n"
    )
    hours = (found.time_s - JANUARY) / 3600
    np.testing.assert_array_equal(hours, [0, 1, 2, 5, 6])
    np.testing.assert_array_equal(found.g_per_kwh, [1, 2, math.nan, 3, 4])


def test_the_repeated_hour_of_autumn_is_told_apart_by_order() -> None:
    """25 October 2026, Europe/Berlin: 02:00 comes twice, and the day has 25 hours."""
    rows = [f"2026-10-25 {hour:02d}:00,{i}" for i, hour in enumerate([0, 1, 2, 2, *range(3, 24)])]
    found = parse("timestamp,g_per_kwh\n" + "\n".join(rows), timezone="Europe/Berlin")
    np.testing.assert_array_equal(np.diff(found.time_s), np.full(24, 3600.0))
    backwards = parse("timestamp,g_per_kwh\n" + "\n".join(reversed(rows)), timezone="Europe/Berlin")
    np.testing.assert_array_equal(backwards.time_s, found.time_s)
    np.testing.assert_array_equal(backwards.g_per_kwh, found.g_per_kwh)


def test_the_missing_hour_of_spring_is_no_hole() -> None:
    rows = [f"2026-03-29 {hour:02d}:00,{hour}" for hour in (0, 1, 3, 4)]
    found = parse("timestamp,g_per_kwh\n" + "\n".join(rows), timezone="Europe/Berlin")
    np.testing.assert_array_equal(np.diff(found.time_s), np.full(3, 3600.0))


PORTAL = (
    "Datetime (UTC),Country,Zone name,Zone id,Carbon intensity gCO₂eq/kWh (direct),"
    "Carbon intensity gCO₂eq/kWh (Life cycle)\n2026-01-01 00:00:00,Sweden,Sweden,SE,5.5,21\n"
)


@pytest.mark.parametrize(("basis", "value"), [("direct", 5.5), ("lifecycle", 21.0)])
def test_a_portal_export_gives_the_quantity_that_is_asked_for(basis: GridBasis, value: float) -> None:
    found = parse(PORTAL, basis=basis)
    assert (found.basis, found.zone, float(found.g_per_kwh[0])) == (basis, "SE", value)
    assert found.time_s[0] == JANUARY


ROW = "2026-01-01T00:00Z,1\n"


@pytest.mark.parametrize(
    ("text", "basis", "message"),
    [
        ("timestamp,g_per_kwh\n" + ROW, None, "--intensity-basis"),
        ("# basis: direct\ntimestamp,g_per_kwh\n" + ROW, "lifecycle", "direct and lifecycle"),
        ("# basis: green\ntimestamp,g_per_kwh\n" + ROW, None, "unknown basis 'green'"),
        ("timestamp,g_per_kwh,basis\n2026-01-01T00:00Z,1,direct\n2026-01-01T01:00Z,1,lifecycle\n", None, "mixes"),
        (PORTAL, None, "choose with --intensity-basis"),
        ("timestamp,g_per_kwh\n2026-01-01T00:00,1\n", "direct", "--timezone"),
        ("when,g_per_kwh\n" + ROW, "direct", "no time column"),
        ("timestamp,price\n" + ROW, "direct", "no intensity column"),
        ("timestamp,g_per_kwh\nyesterday,1\n", "direct", "grid.csv:2"),
        ("# zone: SE\ntimestamp,g_per_kwh\n2026-01-01T00:00Z,dirty\n", "direct", "grid.csv:3"),
        ("timestamp,g_per_kwh\n2026-01-01T00:00Z,-4\n", "direct", "negative"),
        ("timestamp,g_per_kwh\n2026-01-01T00:00Z,1\n2026-01-01T00:00Z,2\n", "direct", "at one time"),
        ("timestamp,g_per_kwh\n2026-01-01T00:00Z,\n", "direct", "no value"),
        ("# zone: DE\ntimestamp,g_per_kwh\n" + ROW, "direct", "of DE, the run was in SE"),
        ("", "direct", "empty"),
    ],
)
def test_what_could_be_read_two_ways_is_refused_in_one_line(text: str, basis: GridBasis | None, message: str) -> None:
    with pytest.raises(EcoauditError) as caught:
        parse(text, basis=basis)
    assert message in caught.value.line()
    assert "grid.csv" in caught.value.line()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EcoauditError, match="cannot read the intensity series"):
        read_series(tmp_path / "none.csv", zone_code=None, basis=None, timezone=None)
