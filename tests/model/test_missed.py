"""Coverage counts single readings that are missing, though their energy is bridged like that of any interval."""

import numpy as np
import pytest

from ecoaudit.ingest.records import FloatArray
from ecoaudit.model.audit import Audit
from model.runs import audit, constant, telemetry

TIMES = np.arange(0.0, 3601.0)
KWH = 0.5


def every(n: int) -> FloatArray:
    """Return the times without every nth."""
    return TIMES[(np.arange(TIMES.size) % n != n // 2)]


def coverage(found: Audit) -> float:
    l2 = found.energy.levels.L2
    assert l2 is not None and l2.gpu is not None and found.quality.coverage is not None
    assert l2.gpu.value == pytest.approx(KWH) and l2.gpu.basis == "measured"
    assert found.quality.gaps == []
    return found.quality.coverage


def lacking(t: FloatArray) -> FloatArray:
    return np.where(t % 10 == 5, np.nan, 500.0)


def test_a_reading_that_is_null_is_not_covered() -> None:
    assert coverage(audit(telemetry=[telemetry([lacking], TIMES)])) == pytest.approx(0.9, abs=0.005)


def test_a_tick_that_was_missed_is_not_covered() -> None:
    assert coverage(audit(telemetry=[telemetry([constant(500.0)], every(10))])) == pytest.approx(0.9, abs=0.005)


def test_one_board_of_two_weighs_half() -> None:
    found = audit(telemetry=[telemetry([lacking, constant(500.0)], TIMES)])
    assert found.quality.coverage == pytest.approx(0.95, abs=0.005)


def test_readings_that_come_a_little_early_or_late_are_all_there() -> None:
    late = TIMES + 0.2 * np.sin(TIMES)
    late[0], late[-1] = TIMES[0], TIMES[-1]
    assert coverage(audit(telemetry=[telemetry([constant(500.0)], late)])) == 1.0
