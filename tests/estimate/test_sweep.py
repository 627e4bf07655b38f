"""A sweep is every combination, side by side, with a word where rows cannot be compared."""

from dataclasses import replace

import pytest

from ecoaudit.errors import EcoauditError
from ecoaudit.estimate import sweep
from ecoaudit.estimate.request import EstimateRequest
from ecoaudit.reference import load

BASE = EstimateRequest(gpu="H100 SXM", gpus=64, params=7e9, tokens=1e12, sequence_length=4096)


def test_values_keep_their_colons_and_spaces() -> None:
    assert sweep.parse(["gpu=H100 SXM,H200,region=aws:eu-north-1,aws:us-east-1", "gpus=64,128"]) == {
        "gpu": ["H100 SXM", "H200"],
        "region": ["aws:eu-north-1", "aws:us-east-1"],
        "gpus": ["64", "128"],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [("colour=red", "cannot sweep 'colour'"), ("64,128", "no value"), ("gpus=", "no value"), ("gpus=64,", "no value")],
)
def test_a_malformed_sweep_is_refused(text: str, message: str) -> None:
    with pytest.raises(EcoauditError, match=message):
        sweep.parse([text])


@pytest.mark.parametrize(("key", "text"), [("gpus", "many"), ("mfu", "fast"), ("method", "half")])
def test_a_value_of_the_wrong_kind_is_refused(key: str, text: str) -> None:
    with pytest.raises(EcoauditError, match="--sweep"):
        sweep.combinations(BASE, {key: [text]})


def test_too_many_combinations_are_refused() -> None:
    with pytest.raises(EcoauditError, match="combinations"):
        sweep.combinations(BASE, {"gpus": [str(n) for n in range(1, 502)]})


def test_every_combination_in_order() -> None:
    found = sweep.sweep(BASE, {"gpu": ["H100 SXM", "H200"], "gpus": ["64", "128"]}, load())
    assert [(label["gpu"], one.hardware.gpu_count) for label, one in found] == [
        ("H100 SXM", 64),
        ("H100 SXM", 128),
        ("H200", 64),
        ("H200", 128),
    ]
    assert found[0][1].gpu_hours.value == pytest.approx(found[1][1].gpu_hours.value)


def test_factors_that_no_place_changes_are_said() -> None:
    places = {"region": ["aws:eu-north-1", "aws:us-east-1"]}
    given = replace(BASE, intensity_g_per_kwh=50.0, price_per_gpu_hour=2.0)
    note = "note: intensity, price as given in every row, whatever the place"
    assert note in sweep.lines(sweep.sweep(given, places, load()))
    assert not any("as given in every row" in line for line in sweep.lines(sweep.sweep(BASE, places, load())))
    assert not any("as given" in line for line in sweep.lines(sweep.sweep(BASE, {"gpus": ["64", "128"]}, load())))


def test_mixed_bases_and_boundaries_are_said() -> None:
    text = "\n".join(
        sweep.lines(
            sweep.sweep(BASE, {"gpu": ["H100 SXM", "RTX 4090"], "region": ["aws:eu-north-1", "aws:us-east-1"]}, load())
        )
    )
    assert "different bases (direct, lifecycle)" in text
    assert "different boundaries" in text
    assert "no published run on GeForce RTX 4090" in text


def test_fractions_may_be_written_short() -> None:
    assert [one.mfu for one in sweep.combinations(BASE, {"mfu": [".3", "5e-1"]})] == [0.3, 0.5]
