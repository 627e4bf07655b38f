"""AMD's CSV outputs: a table a sample, a table an option, with and without times."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecoaudit import ingest
from ecoaudit.ingest.records import Telemetry

Write = Callable[[str, str | bytes], str]


def one(path: str) -> Telemetry:
    (telemetry,) = ingest.read([path]).telemetry
    return telemetry


def test_a_table_a_sample_with_a_date_before_it(fixtures: Path) -> None:
    telemetry = one(f"{fixtures}/rocm_smi_csv/rocm.csv")
    assert telemetry.power_w[:, :2].tolist() == [[400.0, 410.0], [401.0, 411.0], [402.0, 412.0]]
    assert np.isnan(telemetry.power_w[:, 2]).all()  # the second half of an MI250X
    assert np.diff(telemetry.time_s).tolist() == [1.0, 1.0] and telemetry.clock == "utc"
    assert telemetry.gpus[0].name == "Instinct MI250X"


def test_amd_smi_with_its_own_times(fixtures: Path) -> None:
    telemetry = one(f"{fixtures}/rocm_smi_csv/amd.csv")
    assert telemetry.power_w.tolist() == [[740.0, 741.0], [741.0, 742.0], [742.0, 743.0]]
    assert telemetry.energy_j is not None and np.diff(telemetry.energy_j[:, 0]).tolist() == [740.0, 740.0]
    assert telemetry.util_percent is not None and telemetry.time_s[0] == 1764000000


def test_a_table_an_option_is_one_sample(write: Write) -> None:
    tables = [("GPU use (%)", "42", "17"), ("Average Graphics Package Power (W)", "210.0", "198.5")]
    text = "".join(f"device,{name}\ncard0,{a}\ncard1,{b}\n\n" for name, a, b in tables)
    telemetry = one(write("rocm.csv", text * 3))
    assert telemetry.power_w.tolist() == [[210.0, 198.5]] * 3
    assert telemetry.util_percent is not None and telemetry.util_percent[0].tolist() == [42.0, 17.0]
    assert telemetry.clock == "none" and any("one second a sample" in w for w in telemetry.quality.warnings)


def test_a_time_before_every_row(write: Write) -> None:
    rows = [f"{1787485761 + 5 * k} card0,{k},{200 + k}.0" for k in range(3)]
    text = "time device,GPU use (%),Current Socket Graphics Package Power (W)\n" + "\n".join(rows) + "\n"
    telemetry = one(write("rocm.csv", text.replace("time device", "device")))
    assert np.diff(telemetry.time_s).tolist() == [5.0, 5.0]


@pytest.mark.parametrize("kind", ["log.txt", "log.plist"])
def test_powermetrics_in_both_forms(fixtures: Path, kind: str) -> None:
    telemetry = one(f"{fixtures}/powermetrics/{kind}")
    assert telemetry.clock == "utc" and telemetry.gpus[0].name == "Apple GPU (Mac16,10)"
    assert set(telemetry.host_energy_j) == {"package-0"}
    if kind == "log.plist":
        assert telemetry.power_w[:, 0] == pytest.approx([7.0, 7.001, 7.002])
        assert telemetry.util_percent is not None and telemetry.util_percent[0, 0] == 75.0
        assert telemetry.host_energy_j["package-0"][-1] == pytest.approx(3 * 1.2005 * 1.0005)


def test_old_property_lists_have_energies_only(write: Write, fixtures: Path) -> None:
    text = (fixtures / "powermetrics" / "log.plist").read_text()
    old = text.replace("cpu_power", "cpu_frequency").replace("gpu_power", "gpu_frequency")
    assert one(write("log.plist", old)).power_w[0, 0] == pytest.approx(7.003 / 1.0005)
