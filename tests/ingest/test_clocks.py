"""What the clocks of logs look like, and what they mean."""

from datetime import UTC, datetime

import pytest

from ecoaudit.ingest.values import day_first, parse_time

EVENING = datetime(2024, 10, 30, 18, 42, 33, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "2024/10/30 18:42:33",
        "2024-10-30 06:42:33 PM",
        "10/30/2024 6:42:33 PM",
        "30/10/2024 18:42:33",
        "30.10.2024 18:42:33",
        "30-Oct-2024 18:42:33",
        "Oct 30, 2024 6:42:33 p.m.",
        "Wed Oct 30 18:42:33 2024",
        "20241030T184233",
    ],
)
def test_clocks_without_a_zone(text: str) -> None:
    assert parse_time(text) == (EVENING, True)


@pytest.mark.parametrize(
    "text",
    [
        "2024-10-30T18:42:33Z",
        "2024-10-30T20:42:33+02:00",
        "2024-10-30 13:42:33-05",
        "2024-10-30 19:42:33 CET",
        "Wed, 30 Oct 2024 18:42:33 GMT",
        "1730313753",
        "1730313753000",
        "1730313753000000",
        "1730313753000000000",
    ],
)
def test_clocks_with_a_zone_and_epochs_in_any_unit(text: str) -> None:
    assert parse_time(text) == (EVENING, False)


@pytest.mark.parametrize(
    "text", ["12:30", "2024-10-30", "13:00 PM", "2024-10-30 18:42 PM", "31.31.2024 10:00", "power"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a|month must be"):
        parse_time(text)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["31/01/2024 10:00", "01/02/2024 01:00"], True),  # a number over 12 is a day
        (["10/31/2024 10:00", "11/01/2024 01:00"], False),
        (["03-11-2026 23:59", "04-11-2026 00:00"], True),  # the day after, not the month after
        (["03/11/2026 23:59", "03/12/2026 00:00"], False),
        (["03.11.2026 15:13"], True),
        (["03/11/2026 15:13"], False),
        (["2026-03-11 15:13"], None),
    ],
)
def test_the_order_of_day_and_month_is_found_over_the_file(texts: list[str], expected: bool | None) -> None:
    assert day_first(texts) is expected
    if expected is not None:
        seconds = [parse_time(text, day_first=expected)[0] for text in texts]
        assert seconds[-1] - seconds[0] < 2 * 86400
