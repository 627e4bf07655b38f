"""nvidia-smi CSV logs as people really have them."""

from collections.abc import Callable

import numpy as np
import pytest

from ecoaudit import ingest
from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import Telemetry

Write = Callable[[str, str | bytes], str]


def one(path: str, **options: str) -> Telemetry:
    (telemetry,) = ingest.read([path], **options).telemetry  # type: ignore[arg-type]
    return telemetry


def test_units_in_header_and_cells(write: Write) -> None:
    text = (
        "timestamp, index, name, power.draw [W], utilization.gpu [%], power.limit [W]\n"
        "2024/10/30 18:42:33.189, 0, NVIDIA H100 80GB HBM3, 650.12 W, 99 %, 700.00 W\n"
        "2024/10/30 18:42:33.191, 1, NVIDIA H100 80GB HBM3, [N/A], [Not Supported], 700.00 W\n"
        "2024/10/30 18:42:34.189, 0, NVIDIA H100 80GB HBM3, 651.12 W, 98 %, 700.00 W\n"
        "2024/10/30 18:42:34.191, 1, NVIDIA H100 80GB HBM3, 640.00 W, 97 %, 700.00 W\n"
    )
    telemetry = one(write("a.csv", text))
    assert telemetry.power_w[0, 0] == 650.12 and np.isnan(telemetry.power_w[0, 1])
    assert telemetry.power_w.shape == (2, 2)
    assert telemetry.gpus[0].power_limit_w == 700.0
    assert telemetry.clock == "naive"
    assert telemetry.quality.bad_lines == 0


def test_a_time_zone_turns_local_times_into_utc_through_the_repeated_hour(write: Write) -> None:
    rows = ["2024/10/27 02:30:00", "2024/10/27 02:59:59", "2024/10/27 02:00:05", "2024/10/27 03:00:01"]
    text = "timestamp, power.draw [W]\n" + "".join(f"{r}.000, 100.00 W\n" for r in rows)
    telemetry = one(write("a.csv", text), timezone="Europe/Berlin")
    assert telemetry.clock == "utc"
    assert np.diff(telemetry.time_s).tolist() == [1799.0, 6.0, 3596.0]


def test_gpus_without_an_index_are_told_apart_by_their_turn(write: Write) -> None:
    rows = []
    for tick in range(20):
        for gpu in range(4):
            rows.append(f"2024/10/30 18:42:{tick:02d}.{100 + 2 * gpu}, {100 * (gpu + 1)}.00 W, 50 %\n")
    telemetry = one(write("a.csv", "timestamp, power.draw [W], utilization.gpu [%]\n" + "".join(rows)))
    assert telemetry.power_w.shape == (20, 4)
    assert telemetry.power_w[7].tolist() == [100.0, 200.0, 300.0, 400.0]
    assert any("4 GPUs by their order" in w for w in telemetry.quality.warnings)


def test_a_gpu_missing_from_a_tick_leaves_a_hole_not_a_shift(write: Write) -> None:
    rows = [f"{1.7e9 + t:.3f},{g},{100 + g}\n" for t in range(10) for g in range(3) if (t, g) != (4, 1)]
    telemetry = one(write("a.csv", "timestamp,index,power.draw\n" + "".join(rows)))
    assert telemetry.power_w.shape == (10, 3)
    assert np.isnan(telemetry.power_w[4, 1]) and telemetry.power_w[4, 2] == 102.0


def test_semicolons_with_decimal_commas(write: Write) -> None:
    text = "timestamp;index;power.draw [W];utilization.gpu [%]\n2024/10/30 18:42:33,189;0;650,12 W;99 %\n"
    assert one(write("a.csv", text)).power_w[0, 0] == 650.12


def test_utf16_with_byte_order_mark(write: Write) -> None:
    text = "timestamp, power.draw [W], utilization.gpu [%]\r\n2024/10/30 18:42:33.189, 22.89 W, 1 %\r\n"
    assert one(write("a.csv", text.encode("utf-16"))).power_w[0, 0] == 22.89


def test_hand_written_header_epoch_milliseconds_and_milliwatts(write: Write) -> None:
    telemetry = one(write("a.csv", "time,gpu,power [mW],util\n1730313753189,0,22890,5\n1730313754189,0,22900,6\n"))
    assert telemetry.power_w[0, 0] == pytest.approx(22.89)
    assert telemetry.time_s[0] == pytest.approx(1730313753.189)
    assert telemetry.clock == "utc"


def test_quoted_newline_inside_a_field(write: Write) -> None:
    text = (
        'timestamp,name,power.draw [W]\n2024/10/30 18:42:33.1,"NVIDIA\nA100",50.00 W\n2024/10/30 18:42:34.1,x,51.00 W\n'
    )
    assert one(write("a.csv", text)).power_w[:, 0].tolist() == [50.0, 51.0]


def test_a_torn_quote_costs_its_line_only(write: Write) -> None:
    rows = "".join(f"2024/10/30 18:42:{i:02d}.1,A100,50.00 W\n" for i in range(30))
    telemetry = one(write("a.csv", 'timestamp,name,power.draw [W]\n2024/10/30 18:41:59.1,"A1\n' + rows))
    assert len(telemetry.time_s) == 30 and telemetry.quality.bad_lines == 1


def test_repeated_headers_and_torn_rows(write: Write) -> None:
    head = "timestamp, power.draw [W], utilization.gpu [%]\n"
    text = (
        head + "2024/10/30 18:42:33.189, 22.89 W, 1 %\n2024/10/30 18:4\n" + head + "2024/10/30 18:42:35.189, 23 W, 1 %"
    )
    telemetry = one(write("a.csv", text))
    assert len(telemetry.time_s) == 2
    assert telemetry.quality.bad_lines == 1 and telemetry.quality.examples[0].line == 3


def test_rows_without_a_header_when_the_units_leave_no_doubt(write: Write) -> None:
    text = "".join(f"2024/10/30 18:42:{i:02d}.1, NVIDIA A100-SXM4-40GB, {60 + i}.00 W, 7 %\n" for i in range(3))
    telemetry = one(write("a.csv", text))
    assert telemetry.power_w[:, 0].tolist() == [60.0, 61.0, 62.0]
    assert telemetry.gpus[0].name == "NVIDIA A100-SXM4-40GB"


def test_average_power_wins_over_instant_and_is_named(write: Write) -> None:
    text = "timestamp,index,power.draw.instant [W],power.draw.average [W]\n1730313753,0,631.95 W,625.68 W\n"
    telemetry = one(write("a.csv", text))
    assert telemetry.power_w[0, 0] == 625.68 and telemetry.power_field == "average"


def test_a_log_without_one_readable_row_is_an_error(write: Write) -> None:
    with pytest.raises(EcoauditError, match="no row that can be read"):
        ingest.read([write("a.csv", "timestamp, power.draw [W], index\nx, y, z\n")])
