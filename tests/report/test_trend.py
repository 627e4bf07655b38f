"""The trend: earlier runs' figures, as far as they are the same quantity."""

from typing import Any

import msgspec

from ecoaudit.model.audit import Audit
from ecoaudit.report.trend import trend
from report import examples


def with_line(audit: Audit, **changes: Any) -> Audit:
    assert audit.calibration is not None
    return msgspec.structs.replace(audit, calibration=msgspec.structs.replace(audit.calibration, **changes))


def test_a_run_by_another_method_is_left_out_of_the_trend() -> None:
    """Energy per token at the nodes rests on the node line: with another host power it is another quantity."""
    host = examples.q(2600.0, 2400.0, 2800.0, "W", "assumed", "given by the user")
    history = [examples.llm_run(), with_line(examples.llm_run(scale=1.1), host_w=host), examples.llm_run(scale=1.05)]
    found = trend(examples.llm_run(), history)
    assert found is not None
    assert [point.value is None for point in found.points] == [False, True, False, False]


def test_a_run_on_other_hardware_is_left_out_and_two_points_are_no_trend() -> None:
    run = examples.llm_run()
    gpus = [msgspec.structs.replace(group, model="NVIDIA A100-SXM4-80GB") for group in run.hardware.gpus]
    other = msgspec.structs.replace(run, hardware=msgspec.structs.replace(run.hardware, gpus=gpus))
    found = trend(run, [run, other, run])
    assert found is not None
    assert [point.value is None for point in found.points] == [False, True, False, False]
    assert trend(run, [other, run]) is None
