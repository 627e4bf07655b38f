"""A local clock that is changed while a run goes on neither shortens nor lengthens it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ecoaudit import ingest
from ecoaudit.ingest.records import TrainingLog

Write = Callable[[str, str], str]
BERLIN = ZoneInfo("Europe/Berlin")
AUTUMN = datetime(2026, 10, 24, 22, tzinfo=UTC)  # 00:00 in Berlin, three hours before the clocks go back
SPRING = datetime(2026, 3, 28, 23, tzinfo=UTC)
LINES = 8 * 60


def logged(stamp: Callable[[int], datetime], *, skip: int = 0) -> str:
    """Return a Megatron log of eight hours at 60 s a step, with the stamps of a local clock."""
    lines = [
        f" [{stamp(i):%Y-%m-%d %H:%M:%S}] iteration {i:8d}/     480 | consumed samples: {128 * i:12d} | "
        "elapsed time per iteration (ms): 60000.0 | learning rate: 1.0E-04 | global batch size:   128 | "
        "lm loss: 2.0E+00 | loss scale: 1.0 | grad norm: 1.0 | number of skipped iterations:   0 | "
        "number of nan iterations:   0 |"
        for i in range(1, LINES + 1)
        if not 200 < i <= 200 + skip
    ]
    return "\n".join(lines) + "\n"


def local(start: datetime) -> Callable[[int], datetime]:
    return lambda i: (start + timedelta(seconds=60 * i)).astimezone(BERLIN).replace(tzinfo=None)


def set_by(hours: float) -> Callable[[int], datetime]:
    return lambda i: datetime(2026, 6, 1) + timedelta(seconds=60 * i, hours=hours if i > 240 else 0.0)  # noqa: DTZ001


def read(write: Write, text: str, timezone: str | None = None) -> TrainingLog:
    (log,) = ingest.read([write("train.log", text)], timezone=timezone).training
    return log


def seconds(log: TrainingLog) -> float:
    assert log.train_start_s is not None and log.train_end_s is not None and log.steps is not None
    assert (log.steps.time_s[1:] > log.steps.time_s[:-1]).all()
    return log.train_end_s - log.train_start_s


@pytest.mark.parametrize("start", [AUTUMN, SPRING])
def test_the_zone_tells_of_summer_time(write: Write, start: datetime) -> None:
    log = read(write, logged(local(start)), "Europe/Berlin")
    assert seconds(log) == pytest.approx(LINES * 60)
    assert log.train_start_s == pytest.approx(start.timestamp())
    assert not any("clock went" in text for text in log.quality.warnings)


@pytest.mark.parametrize(
    ("stamp", "told"),
    [
        (local(AUTUMN), "the local clock went back 1 h at 2026-10-25 02:59:00"),
        (local(SPRING), "the local clock went ahead 1 h at 2026-03-29 01:59:00"),
        (set_by(-2.0), "the local clock went back 2 h at 2026-06-01 04:00:00"),
        (set_by(-0.5), "the local clock went back 0.5 h at 2026-06-01 04:00:00"),
        (set_by(2.0), "the local clock went ahead 2 h at 2026-06-01 04:00:00"),
    ],
)
def test_without_a_zone_the_steps_own_durations_tell(write: Write, stamp: Callable[[int], datetime], told: str) -> None:
    log = read(write, logged(stamp))
    assert seconds(log) == pytest.approx(LINES * 60)
    assert f"{told}; counted by the steps' own durations" in log.quality.warnings


def test_a_pause_is_no_change_of_the_clock(write: Write) -> None:
    paused = logged(set_by(1.01))
    log = read(write, paused)
    assert seconds(log) == pytest.approx(LINES * 60 + 1.01 * 3600, abs=1.0)
    assert not any("clock went" in text for text in log.quality.warnings)


def test_lines_that_are_left_out_are_no_change_of_the_clock(write: Write) -> None:
    log = read(write, logged(set_by(0.0), skip=60))
    assert seconds(log) == pytest.approx(LINES * 60)
    assert not any("clock went" in text for text in log.quality.warnings)
