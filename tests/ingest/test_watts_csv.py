"""Tables of a time and watts, whoever exported them: which columns are taken, for what, and when that is refused."""

from collections.abc import Callable

import numpy as np
import pytest

from ecoaudit import ingest
from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.meters.watt_columns import layout_of
from ecoaudit.ingest.records import MeterLog, RunLogs

Write = Callable[[str, str | bytes], str]
ROW = "2025-03-01 10:00:{second:02d}"


def logs(write: Write, text: str, name: str = "a.csv", **options: str) -> RunLogs:
    return ingest.read([write(name, text)], **options)  # type: ignore[arg-type]


def table(header: str, *cells: str, delimiter: str = ",") -> str:
    rows = [f"{ROW.format(second=i)}{delimiter}{cell}" for i, cell in enumerate(cells)]
    return "\n".join([f"time{delimiter}{header}", *rows]) + "\n"


def meter(found: RunLogs) -> MeterLog:
    assert not found.telemetry
    (one,) = found.meters
    return one


@pytest.mark.parametrize(
    ("header", "cells", "watts"),
    [
        ("power (W)", ("500", "510"), [500.0, 510.0]),
        ("Active Power [kW],Apparent Power [kVA],Power Factor", ("0.5,0.6,0.9", "0.51,0.6,0.9"), [500.0, 510.0]),
        ("power_mw", ("500000", "510000"), [500.0, 510.0]),
        ("apower,voltage,current", ("500,230,2.1", "510,230,2.2"), [500.0, 510.0]),
        ("ActivePower,ApparentPower,Factor", ("500,600,0.8", "510,600,0.8"), [500.0, 510.0]),
        ("voltage_mv,current_ma,power_mw,total_wh", ("230000,2,500000,1", "230000,2,510000,1"), [500.0, 510.0]),
        ("U-1,I-1,P-1,S-1", ("230,2.1,500,510", "230,2.1,510,520"), [500.0, 510.0]),
        ("current,voltage,power,charge,energy", ("2,250,500,0,0", "2,255,510,0,0"), [500.0, 510.0]),
        ("Power min (W),Power avg (W),Power max (W)", ("400,500,600", "410,510,610"), [500.0, 510.0]),
        ("psu1_w,psu2_w,cpu_power_w", ("200,300,90", "205,305,95"), [500.0, 510.0]),
        ("Phase A Power (W),Phase B Power (W),Total Power (W)", ("200,300,500", "205,305,510"), [500.0, 510.0]),
        ("L1 [W],L2 [W],L3 [W]", ("100,200,200", "110,200,200"), [500.0, 510.0]),
    ],
)
def test_columns_of_one_node(write: Write, header: str, cells: tuple[str, ...], watts: list[float]) -> None:
    assert meter(logs(write, table(header, *cells))).power_w == pytest.approx(watts)


def test_columns_that_are_added_and_left_out_are_named(write: Write) -> None:
    one = meter(logs(write, table("psu1_w,psu2_w,cpu_power_w", "200,300,90", "205,305,95")))
    assert any("psu1_w, psu2_w are added up" in w for w in one.quality.warnings)
    assert any("cpu_power_w are left out" in w for w in one.quality.warnings)


def test_a_column_a_node_and_their_total(write: Write) -> None:
    found = logs(write, table("n1_watts,n2_watts,total_watts", "2492,2579,5071", "2503,2573,5076"))
    assert [m.label for m in found.meters] == ["n1_watts", "n2_watts"]
    assert found.meters[1].power_w.tolist() == [2579.0, 2573.0]


def test_gpus_beside_the_node(write: Write) -> None:
    found = logs(write, table("gpu0_power_w,gpu1_power_w,node_power_w", "400,410,1500", "401,411,1510"))
    assert found.telemetry[0].power_w.tolist() == [[400.0, 410.0], [401.0, 411.0]]
    assert found.meters[0].power_w.tolist() == [1500.0, 1510.0]


def test_a_bare_total_beside_gpus_may_be_their_sum_and_is_left_out(write: Write) -> None:
    found = logs(write, table("gpu0,gpu1,total_power", "400,410,810", "401,411,812"))
    assert not found.meters
    assert any("total_power are left out" in w for w in found.telemetry[0].quality.warnings)


def test_a_logger_that_writes_what_is_new_leaves_cells_empty(write: Write) -> None:
    (one,) = logs(write, table("cpu_watts,gpu_watts", ",8.37", "73.03,", "66.8,8.35")).telemetry
    assert one.power_w[:, 0].tolist() == [8.37, 8.35]
    assert one.quality.bad_lines == 0


def test_a_lone_column_is_a_gpus_where_the_files_name_says_so(write: Write) -> None:
    text = table("Power (W)", "361.5", "357.3")
    (one,) = logs(write, text, "gpu_power_log.csv").telemetry
    assert one.power_w[:, 0].tolist() == [361.5, 357.3]
    assert meter(logs(write, text, "cpu_gpu_log.csv")).power_w.tolist() == [361.5, 357.3]


@pytest.mark.parametrize(
    ("header", "cells", "words"),
    [
        ("Outlet 1 Power (W),Outlet 2 Power (W)", "100,200", "nothing says whose the columns Outlet 1 Power"),
        ("CPU Package Power [W],DRAM Power [W]", "100,20", "are of parts of a node"),
        ("desk (W),rack (W)", "100,200", "nothing says whose"),
    ],
)
def test_what_is_ambiguous_is_refused_with_its_columns(write: Write, header: str, cells: str, words: str) -> None:
    with pytest.raises(EcoauditError, match="(?s)" + words.replace("(", r"\(")) as caught:
        logs(write, table(header, cells, cells))
    assert "name them node0" in caught.value.line()


def test_a_column_p_is_a_power_beside_voltage_and_current_only() -> None:
    assert layout_of("time,x,p") is None
    assert layout_of("time,U-1,I-1,P-1") is not None


def test_megawatts_are_not_taken_for_milliwatts() -> None:
    assert layout_of("time,Site Power (MW)") is None
    assert layout_of("time,Board Power (mW)") is not None


def test_decimal_commas_and_thousands(write: Write) -> None:
    one = meter(logs(write, table("power (W)", "1.234,5", "1234,5", delimiter=";")))
    assert one.power_w.tolist() == [1234.5, 1234.5]
    quoted = meter(logs(write, table("power (W)", '"1,234.5"', "1234.5")))
    assert quoted.power_w.tolist() == [1234.5, 1234.5]


def test_lines_before_the_header_and_exponents(fixtures: object) -> None:
    (one,) = ingest.read([f"{fixtures}/watts_csv/hioki.csv"], timezone="Asia/Tokyo").meters
    assert one.power_w == pytest.approx([92.1, 91.2, 91.2])
    assert np.diff(one.time_s).tolist() == [60.0, 60.0]


@pytest.mark.parametrize(
    "times",
    [
        ("10/30/2024 11:59:59 PM", "10/31/2024 12:00:00 AM"),
        ("31/10/2024 23:59:59", "01/11/2024 00:00:00"),
        ("30.10.2024 23:59:59", "31.10.2024 00:00:00"),
        ("1730332799", "1730332800"),
        ("1730332799000", "1730332800000"),
        ("1730332799000000000", "1730332800000000000"),
        ("2024-10-30T23:59:59-07:00", "2024-10-31T00:00:00-07:00"),
        ("0.0", "1.0"),
    ],
)
def test_clocks_of_exports(write: Write, times: tuple[str, str]) -> None:
    text = "Timestamp,Power (W)\n" + "".join(f"{t},500\n" for t in times)
    assert np.diff(meter(logs(write, text)).time_s).tolist() == [1.0]


def test_the_order_of_day_and_month_is_found_far_into_the_file(write: Write) -> None:
    rows = [f"05/11/2026 {i // 3600:02d}:{i // 60 % 60:02d}:{i % 60:02d},500" for i in range(0, 86400, 10)]
    text = "Timestamp,Power (W)\n" + "\n".join([*rows, "06/11/2026 00:00:00,500"]) + "\n"
    assert np.diff(meter(logs(write, text)).time_s).max() == 10.0


def test_home_assistants_history_of_one_sensor(write: Write) -> None:
    rows = [
        "sensor.rack_temperature,21.5,2024-10-30T18:00:00.000Z",
        "sensor.rack_power,500.5,2024-10-30T18:00:01.000Z",
        "sensor.rack_power,unavailable,2024-10-30T18:00:02.000Z",
        "sensor.rack_power,501.5,2024-10-30T18:00:03.250Z",
    ]
    text = "entity_id,state,last_changed\n" + "\n".join(rows) + "\n"
    one = meter(logs(write, text))
    assert one.power_w.tolist() == [500.5, 501.5]
    two = text + "sensor.desk_power,80,2024-10-30T18:00:04.000Z\n"
    with pytest.raises(EcoauditError, match="power of 2 sensors"):
        logs(write, two)


def test_a_column_a_gpu_under_one_name(write: Write) -> None:
    header = "GPU Power [W],GPU Rail Power [W],GPU Power [W],CPU Package Power [W]"
    (one,) = logs(write, table(header, "300,9,310,90", "301,9,311,91")).telemetry
    assert one.power_w.tolist() == [[300.0, 310.0], [301.0, 311.0]]


def test_legends_of_a_panel_and_units_in_the_cells(write: Write) -> None:
    text = '"Time","GPU 0","GPU 1"\n2025-03-01 10:00:00,400 W,1.41 kW\n2025-03-01 10:00:15,402 W,1.42 kW\n'
    (one,) = logs(write, text).telemetry
    assert one.power_w.tolist() == [[400.0, 1410.0], [402.0, 1420.0]]
