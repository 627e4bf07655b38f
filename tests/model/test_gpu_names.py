"""A GPU's name as a log gives it: unknown and ambiguous names are told apart, and neither is guessed."""

import numpy as np
import pytest

from model.runs import audit, constant, telemetry


@pytest.mark.parametrize(
    ("name", "variants"),
    [("H100", ["H100 PCIe", "H100 80GB HBM3", "H100 NVL"]), ("NVIDIA A100", ["A100-PCIE-40GB", "A100-SXM4-80GB"])],
)
def test_a_name_that_leaves_the_variant_open_lists_the_candidates(name: str, variants: list[str]) -> None:
    found = audit(telemetry=[telemetry([constant(300.0)], np.arange(0.0, 101.0), gpu=name)])
    (warning,) = [w for w in found.quality.warnings if repr(name) in w]
    assert "is ambiguous" in warning and "not in the tables" not in warning
    assert all(variant in warning for variant in variants)
    assert found.hardware.gpus[0].tdp_w is None


def test_a_name_that_means_no_gpu_is_not_in_the_tables() -> None:
    found = audit(telemetry=[telemetry([constant(300.0)], np.arange(0.0, 101.0), gpu="NVIDIA Foo 9000")])
    assert any("'NVIDIA Foo 9000' is not in the tables" in w for w in found.quality.warnings)
