"""Numbers as a reader sees them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.quantity import Basis, Quantity
from ecoaudit.report import numbers


def shown(value: float, low: float, high: float, unit: str) -> str:
    return numbers.show_value(value, low, high, unit).full()


@pytest.mark.parametrize(
    ("value", "low", "high", "unit", "text"),
    [
        # Half width 0.85: its leading digits 850 leave one digit.
        (8.1305, 7.358, 9.025, "kWh", "8.1 kWh (7.4–9.0)"),
        # Half width 0.236: 236 leaves two digits.
        (4.62, 4.384, 4.856, "kWh", "4.62 kWh (4.38–4.86)"),
        # Half width 0.999 rounds to 1.0.
        (5.1234, 4.1244, 6.1224, "kWh", "5.1 kWh (4.1–6.1)"),
        # A wide interval takes digits from whole numbers too.
        (12_345, 11_700, 12_900, "kWh", "12.3 MWh (11.7–12.9)"),
        (54_321, 47_000, 67_000, "GPU-h", "54,000 GPU-h (47,000–67,000)"),
        (0.0583, 0.0527, 0.0664, "kgCO2e", "58 g CO₂e (53–66)"),
        (330.13, 330.13, 330.13, "kgCO2e", "330.1 kg CO₂e"),
        (1_240, 1_100, 1_400, "kgCO2e", "1.24 t CO₂e (1.10–1.40)"),
        (0.397, 0.366, 0.429, "J/token", "0.397 J/token (0.366–0.429)"),
        (36_940, 36_570, 37_310, "J/sample", "36.9 kJ/sample (36.6–37.3)"),
        (0.0001, 0.00009, 0.00011, "J/token", "100 µJ/token (90–110)"),
        (268, 241.2, 294.8, "gCO2e/kWh", "268 g CO₂e/kWh (241–295)"),
        (1.15, 1.04, 1.27, "1", "1.15 (1.04–1.27)"),
        (82_533, 82_533, 82_533, "USD", "$82,533"),
        (28, 28, 28, "USD", "$28.00"),
        (31.44, 25.0, 38.0, "USD", "$31 (25–38)"),
        (3.93, 3.13, 4.75, "USD", "$3.93 (3.13–4.75)"),
        (12.5, 12.5, 12.5, "CHF", "12.50 CHF"),
        (5600, 5600, 5600, "W", "5.6 kW"),
        # A value so uncertain that its digits would vanish keeps one.
        (0.3, 0.0, 10.0, "GPU-h", "0.3 GPU-h (0.0–10.0)"),
        (-0.2, -0.5, 0.1, "GPU-h", "−0.20 GPU-h (−0.50 to 0.10)"),
        (0, 0, 0, "kWh", "0 kWh"),
        (2.5e20, 2.5e20, 2.5e20, "tokens", "2.5e20 tokens"),
    ],
)
def test_a_quantity_shows_only_the_digits_its_interval_supports(
    value: float, low: float, high: float, unit: str, text: str
) -> None:
    assert shown(value, low, high, unit) == text


def test_value_and_interval_share_one_unit_even_across_a_prefix() -> None:
    result = numbers.show_value(993.0, 900.0, 1100.0, "kWh")
    assert (result.text(), result.interval) == ("990 kWh", "900–1,100")


def test_a_figure_without_width_says_so() -> None:
    assert numbers.show_value(8.0, 8.0, 8.0, "GPU-h").interval == "no interval"


def test_share_is_percent_whatever_the_unit_was() -> None:
    fraction = Quantity(value=0.412, low=0.404, high=0.42, unit="1", basis=Basis.MODELLED, source="")
    already = Quantity(value=41.2, low=40.4, high=42.0, unit="%", basis=Basis.MODELLED, source="")
    assert numbers.share(fraction).full() == numbers.share(already).full() == "41.2 % (40.4–42.0)"


@pytest.mark.parametrize(
    ("percent", "text"),
    [(-5.13, "−5.1 %"), (0.02, "0.0 %"), (-0.04, "0.0 %"), (3.0, "+3.0 %"), (28.4, "+28 %"), (-9.97, "−10 %")],
)
def test_a_change_has_a_sign_unless_it_is_zero(percent: float, text: str) -> None:
    assert numbers.signed_percent(percent) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0.999, "99.9 %"), (0.99999, "99.9 %"), (1.0, "100 %"), (0.0001, "< 1 %"), (0.0, "0 %"), (1.43, "143 %")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(fraction: float, text: str) -> None:
    assert numbers.percent(fraction) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "0.5 s"),
        (45, "45 s"),
        (59.6, "60 s"),
        (240, "4 min 00 s"),
        (1738, "28 min 58 s"),
        (3600, "1 h 00 min"),
        (3599.7, "1 h 00 min"),
        (200_000, "2 d 08 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert numbers.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(10, "less than a minute"), (60, "1 minute"), (7300, "2 hours"), (190_000, "2 days")]
)
def test_ages(seconds: float, text: str) -> None:
    assert numbers.age(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1, "1 node"), (8, "8 nodes"), (0, "0 nodes"), (61_440_000, "61.4 M nodes")]
)
def test_plurals_and_counts(value: float, text: str) -> None:
    assert numbers.plural(value, "node") == text


def test_significant_digits_of_a_reading() -> None:
    assert numbers.significant(2692.4, "W") == "2.69 kW"
    assert numbers.significant(0.41873, "J/token") == "0.419 J/token"
    assert numbers.significant(31.444, "USD") == "$31.44"
    assert numbers.significant(0.0, "W") == "0 W"


FINITE = st.floats(min_value=-1e12, max_value=1e12, allow_nan=False)


@given(st.lists(FINITE, min_size=3, max_size=3).map(sorted))
@settings(max_examples=150)
def test_what_is_printed_stays_within_the_rounding_of_what_is_meant(parts: list[float]) -> None:
    low, value, high = parts
    places = numbers.decimals(value, low, high)
    rounded = round(value, min(places, 12))
    # Rounding may cost at most a third of the half width, or half a unit in the fourth digit of the value.
    allowed = max((high - low) / 2 * 0.36, abs(value) * 5.1e-4, 1e-12)
    assert abs(rounded - value) <= allowed
    assert value == 0 or rounded != 0 or abs(value) < 1e-12


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3).map(sorted))
@settings(max_examples=150)
def test_any_float_can_be_shown_shortly(parts: list[float]) -> None:
    low, value, high = parts
    for unit in ("kWh", "kgCO2e", "W", "J/token", "USD", "1", "gCO2e/kWh"):
        text = numbers.show_value(value, low, high, unit).full()
        assert len(text) < 90
        assert "nan" not in text
        assert numbers.significant(value, unit)


@given(st.floats(min_value=0.001, max_value=1e9), st.floats(min_value=0.02, max_value=0.9))
@settings(max_examples=100)
def test_digits_do_not_exceed_the_interval(value: float, relative: float) -> None:
    half = value * relative
    places = numbers.decimals(value, value - half, value + half)
    unit_in_last_place = 10.0**-places
    assert unit_in_last_place >= half / 100 * (1 - 1e-9) or math.isclose(unit_in_last_place, half / 100)
