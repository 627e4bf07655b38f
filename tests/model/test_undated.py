"""Recordings without a clock, as dmon and rocm-smi print them by default."""

from dataclasses import replace

import numpy as np
import pytest

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import FloatArray, Telemetry
from ecoaudit.model.clock import iso
from model.runs import START, Signal, audit, constant, telemetry, training

BUSY_W, IDLE_W = 600.0, 70.0


def busy(start: float, end: float) -> Signal:
    def signal(t: FloatArray) -> FloatArray:
        return np.where((t >= start) & (t <= end), BUSY_W, IDLE_W)

    return signal


def undated(signal: Signal, seconds: float = 2000.0) -> Telemetry:
    log = telemetry([signal] * 2, np.arange(0.0, seconds + 1.0), log_format="nvidia_smi_dmon")
    return replace(log, clock="none", time_s=log.time_s - START)


@pytest.mark.parametrize("clock", ["utc", "naive"])
def test_a_recording_without_a_clock_is_put_where_the_dated_training_ran(clock: str) -> None:
    run = training(5000.0, 6200.0, clock=clock, tokens=6e6)
    found = audit(telemetry=[undated(busy(300.0, 1500.0))], training=[run])
    assert found.efficiency.j_per_token
    assert found.efficiency.j_per_token.value == pytest.approx(2 * BUSY_W * 1200.0 / 6e6, rel=0.01)
    assert found.windows.training
    assert found.windows.training.start == iso(START + 5000.0)
    assert len([text for text in found.quality.warnings if "the recording has no clock" in text]) == 1


def test_a_recording_as_long_as_the_run_begins_with_it() -> None:
    found = audit(telemetry=[undated(constant(BUSY_W), 1000.0)], training=[training(0.0, 1000.0, tokens=6e6)])
    assert found.efficiency.j_per_token
    assert found.efficiency.j_per_token.value == pytest.approx(2 * BUSY_W * 1000.0 / 6e6)


def test_work_of_a_longer_run_is_not_divided_by_an_undated_recording() -> None:
    found = audit(telemetry=[undated(constant(BUSY_W), 1000.0)], training=[training(0.0, 4000.0, tokens=6e6)])
    assert found.efficiency.j_per_token is None


def test_without_any_clock_no_date_is_shown() -> None:
    found = audit(telemetry=[undated(busy(300.0, 1500.0))], training=[training(None, None, tokens=6e6)])
    assert found.run.started_at is None
    assert found.windows.job
    assert (found.windows.job.start, found.windows.job.duration_s) == (None, 2000.0)
    assert not any("1970" in text for text in found.quality.warnings)
    assert any("second 300 of the recording" in text for text in found.quality.warnings)


def test_recordings_with_and_without_a_clock_are_not_joined_by_guess() -> None:
    dated = telemetry([constant(BUSY_W)] * 2, np.arange(0.0, 1001.0))
    with pytest.raises(EcoauditError, match="has no clock"):
        audit(telemetry=[undated(constant(BUSY_W)), dated])


def test_a_training_log_brings_both_together() -> None:
    dated = telemetry([busy(100.0, 1300.0)] * 2, np.arange(0.0, 1501.0), host="n2")
    other = replace(undated(busy(300.0, 1500.0)), host="n1")
    found = audit(telemetry=[other, dated], training=[training(100.0, 1300.0, tokens=6e6)])
    assert found.efficiency.j_per_token
    assert found.efficiency.j_per_token.value == pytest.approx(4 * BUSY_W * 1200.0 / 6e6, rel=0.01)
