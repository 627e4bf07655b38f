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


def test_late_rows_and_a_stall_do_not_hide_how_many_gpus_take_turns(write: Write) -> None:
    rows = []
    for tick in range(200):
        start = 1764000000 + 0.105 * tick + (30.0 if tick > 120 else 0.0)
        late = 0.06 if tick % 40 == 7 else 0.0  # the middle row of a tick
        for gpu in range(3):
            if (tick, gpu) != (50, 2):
                rows.append(f"{start + 0.005 * gpu + (late if gpu else 0.0):.3f},{100 * (gpu + 1)}.5 W,9 %")
    telemetry = one(write("a.csv", "timestamp, power.draw [W], utilization.gpu [%]\n" + "\n".join(rows)))
    assert telemetry.power_w.shape[1] == 3
    assert np.nanmedian(telemetry.power_w, axis=0).tolist() == [100.5, 200.5, 300.5]


def test_a_fast_log_of_one_gpu_with_stalls_is_one_gpu(write: Write) -> None:
    steps = np.random.default_rng(1).choice([0.007, 0.016, 0.12], size=2000, p=[0.7, 0.27, 0.03])
    rows = [f"{1764000000 + t:.3f},{50 + i % 9}.5 W,9 %" for i, t in enumerate(np.cumsum(steps))]
    telemetry = one(write("a.csv", "timestamp, power.draw [W], utilization.gpu [%]\n" + "\n".join(rows)))
    assert telemetry.power_w.shape == (2000, 1)


def test_one_gpu_logged_faster_than_its_clock_ticks_is_one_gpu(write: Write) -> None:
    rows = [f"{1764000000 + int(0.503 * i)},{50 + i % 9}.5 W,9 %" for i in range(400)]  # two a second, now and then one
    telemetry = one(write("a.csv", "timestamp, power.draw [W], utilization.gpu [%]\n" + "\n".join(rows)))
    assert telemetry.power_w.shape == (400, 1)
    assert telemetry.time_s[-1] - telemetry.time_s[0] == pytest.approx(0.503 * 399, abs=1.0)


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


def test_a_temperature_without_a_header_is_no_index(write: Write) -> None:
    rows = "".join(f"2024/10/30 18:42:{i:02d}.1, 7 %, {27 + i // 3}, {60 + i}.00 W\n" for i in range(9))
    telemetry = one(write("a.csv", rows))
    assert telemetry.power_w.shape == (9, 1)


def test_an_index_without_a_header_comes_in_turns(write: Write) -> None:
    rows = "".join(f"2024/10/30 18:42:{i // 2:02d}.1, {2 + i % 2}, {40 + i}, {60 + i}.00 W\n" for i in range(12))
    telemetry = one(write("a.csv", rows))
    assert [gpu.index for gpu in telemetry.gpus] == [2, 3]
    assert telemetry.power_w[0].tolist() == [60.0, 61.0]


@pytest.mark.parametrize(
    "header", ["timestamp,power_draw_W", "timestamp,gpu_power_w", "time,Board Power Draw [W]", "Timestamp,power.draw"]
)
def test_one_power_column_whose_name_can_only_be_a_boards(write: Write, header: str) -> None:
    rows = "2025-10-13T14:56:26+00:00,105.20\n2025-10-13T14:56:27+00:00,105.14\n"
    assert one(write("a.csv", f"{header}\n{rows}")).power_w[:, 0].tolist() == [105.2, 105.14]


def test_seconds_since_the_start_give_energy_but_no_place_in_time(write: Write) -> None:
    telemetry = one(write("a.csv", 'elapsed_sec,gpu_util_pct,power_w\n0.08,0,"26.11\n0"\n0.58,2,36.51\n'))
    assert telemetry.clock == "none"
    assert telemetry.time_s.tolist() == [0.08, 0.58]
    assert telemetry.power_w[:, 0].tolist() == [26.11, 36.51]
    assert telemetry.util_percent is not None


def test_the_epochs_of_a_training_are_no_times(write: Write) -> None:
    with pytest.raises(EcoauditError, match="no row that can be read"):
        ingest.read([write("a.csv", "epoch,gpu_util,loss_value\n1,90,2.5\n2,91,2.4\n")])


def test_a_clock_wins_over_seconds_since_the_start(write: Write) -> None:
    text = "elapsed_s,gpu,power_w,timestamp\n0.0,0,100,1764000000\n1.0,0,101,1764000001\n"
    telemetry = one(write("a.csv", text))
    assert telemetry.clock == "utc" and telemetry.time_s[0] == 1764000000


def test_elapsed_milliseconds(write: Write) -> None:
    telemetry = one(write("a.csv", "time_ms,gpu,power_draw_w\n0,0,100\n500,0,101\n1000,0,102\n"))
    assert telemetry.time_s.tolist() == [0.0, 0.5, 1.0]


def test_times_of_the_day_wrap_at_midnight(write: Write) -> None:
    telemetry = one(write("a.csv", "time,power.draw [W]\n23:59:59.500,100 W\n00:00:00.500,101 W\n"))
    assert np.diff(telemetry.time_s).tolist() == [1.0]
    assert telemetry.clock == "none"


def test_a_date_and_a_time_in_two_columns(write: Write) -> None:
    text = "Date,Time,GPU,power.draw [W]\n31/01/2025,11:59:59 PM,0,100\n01/02/2025,12:00:00 AM,0,101\n"
    telemetry = one(write("a.csv", text), timezone="UTC")
    assert np.diff(telemetry.time_s).tolist() == [1.0]


def test_a_column_gpu_may_hold_names_or_words_with_an_index(write: Write) -> None:
    head = "Time,GPU,Util (%),Power (W)\n"
    named = one(write("a.csv", head + "2025-05-19 16:19:26,RTX 4090,40,55\n2025-05-19 16:19:27,RTX 4090,41,56\n"))
    assert [gpu.name for gpu in named.gpus] == ["RTX 4090"]
    words = one(write("b.csv", head + "2025-05-19 16:19:26,GPU 1,40,55\n2025-05-19 16:19:26,cuda:0,41,56\n"))
    assert [gpu.index for gpu in words.gpus] == [0, 1]


def test_readings_without_any_time_say_what_to_ask_for(write: Write) -> None:
    with pytest.raises(EcoauditError, match="no times") as caught:
        ingest.read([write("a.csv", "power.draw [W]\n13.61 W\n14.09 W\n")])
    assert "query-gpu=timestamp" in caught.value.line()


def test_readings_in_milliwatts_without_saying_so_are_called_implausible(write: Write) -> None:
    text = "timestamp,gpu_power_w\n" + "".join(f"2025-07-03T08:43:{i:02d}Z,6472.00\n" for i in range(4))
    assert any("milliwatts" in w for w in one(write("a.csv", text)).quality.warnings)


def test_a_power_that_never_changes_is_called_stuck(write: Write) -> None:
    rows = [f"{1764000000 + i},0,46.19" for i in range(150)]
    head = "timestamp,index,power.draw\n"
    assert any("never changes" in w for w in one(write("a.csv", head + "\n".join(rows))).quality.warnings)
    rows[70] = "1764000070,0,46.20"
    assert not any("never changes" in w for w in one(write("b.csv", head + "\n".join(rows))).quality.warnings)


def test_the_hour_that_a_local_clock_shows_twice_is_not_lost(write: Write) -> None:
    rows = ["01:59:59", "02:30:00", "02:59:59", "02:00:00", "02:30:01", "03:00:00"]
    text = "timestamp, power.draw [W]\n" + "".join(f"2024/10/27 {r}.000, 100.00 W\n" for r in rows)
    telemetry = one(write("a.csv", text))
    assert np.diff(telemetry.time_s).tolist() == [1801.0, 1799.0, 1.0, 1801.0, 1799.0]
    assert any("back by an hour" in w for w in telemetry.quality.warnings)


def test_an_hour_that_is_missing_in_spring_is_said(write: Write) -> None:
    rows = [f"2024/03/31 01:59:{s:02d}" for s in range(57, 60)] + [f"2024/03/31 03:00:{s:02d}" for s in range(3)]
    text = "timestamp, power.draw [W]\n" + "".join(f"{r}.000, 100.00 W\n" for r in rows)
    assert any("an hour is missing" in w for w in one(write("a.csv", text)).quality.warnings)
    aware = one(write("b.csv", text), timezone="Europe/Berlin")
    assert np.diff(aware.time_s).tolist() == [1.0] * 5
