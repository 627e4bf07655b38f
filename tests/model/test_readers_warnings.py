"""What the readers of many logs warn of: once for all of them, or with the log it is about."""

from dataclasses import replace

import numpy as np

from ecoaudit.ingest.records import ReadQuality
from model.runs import audit, constant, telemetry


def warnings_of(*logs: tuple[str, ...]) -> list[str]:
    times = np.arange(0.0, 101.0)
    files = [
        replace(
            telemetry([constant(500.0)] * 8, times, host=f"secret-{i}", path=f"secret-{i}.jsonl"),
            quality=ReadQuality(warnings=texts),
        )
        for i, texts in enumerate(logs)
    ]
    known = {text for texts in logs for text in texts}
    return [w for w in audit(telemetry=files).quality.warnings if any(w.startswith(text) for text in known)]


def test_one_log_is_not_numbered() -> None:
    assert warnings_of(("3 ticks were missed",)) == ["3 ticks were missed"]


def test_what_all_logs_share_stands_once() -> None:
    assert warnings_of(("no header",), ("no header",)) == ["no header"]


def test_what_some_logs_tell_names_the_first_and_counts_the_others() -> None:
    found = warnings_of(("8 of 1,200 are missing",), (), ("1448 of 1,200 are missing",), ("2 of 9 are missing",))
    assert found == ["8 of 1,200 are missing (log 1 of 4, and 2 more likewise)"]


def test_what_one_log_tells_names_it_by_its_place_not_by_its_file() -> None:
    assert warnings_of((), ("the header is missing",)) == ["the header is missing (log 2 of 2)"]
