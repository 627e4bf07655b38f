"""Numbers as a reader sees them: unit, grouping, sign, and no more digits than the 90 % interval supports.

The rule for digits is the Particle Data Group's (Review of Particle Physics, "Introduction", section 5.3): of the half
width, keep two digits when its three leading digits are 100 to 354, else one; the value gets the same decimal place.
"""

import math
from dataclasses import dataclass

from ecoaudit.quantity import Quantity

MINUS = "\N{MINUS SIGN}"
RANGE = "\N{EN DASH}"
NO_INTERVAL = "no interval"

_ENERGY = ((1e-6, "mWh"), (1e-3, "Wh"), (1.0, "kWh"), (1e3, "MWh"), (1e6, "GWh"), (1e9, "TWh"))
_CARBON = tuple(
    (factor, f"{unit} CO₂e")
    for factor, unit in ((1e-6, "mg"), (1e-3, "g"), (1.0, "kg"), (1e3, "t"), (1e6, "kt"), (1e9, "Mt"))
)
_POWER = ((1e-3, "mW"), (1.0, "W"), (1e3, "kW"), (1e6, "MW"), (1e9, "GW"))
_JOULE = ((1e-6, "µJ"), (1e-3, "mJ"), (1.0, "J"), (1e3, "kJ"), (1e6, "MJ"), (1e9, "GJ"))
_COUNTS = ((1e12, "T"), (1e9, "B"), (1e6, "M"))
_FIXED = {"1": "", "ratio": "", "fraction": "", "percent": "%"}
_CURRENCY_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}
_CURRENCIES = frozenset({*_CURRENCY_SIGNS, "CHF", "SEK", "NOK", "DKK", "JPY", "CNY", "INR", "CAD", "AUD"})


@dataclass(frozen=True, slots=True)
class Shown:
    """A quantity as text: `value` and `interval` share `unit`; `before` is a currency sign, else empty."""

    value: str
    interval: str
    unit: str
    before: str = ""

    def text(self) -> str:
        """Return the value with its unit, such as `8.1 kWh` or `$28.00`."""
        return with_unit(self.value, self.unit, self.before)

    def full(self) -> str:
        """Return value, unit and interval, such as `8.1 kWh (7.2–9.1)`; the value alone if it has none."""
        return self.text() if self.interval == NO_INTERVAL else f"{self.text()} ({self.interval})"


def show(quantity: Quantity) -> Shown:
    """Return `quantity` as text, in the multiple of its unit that suits its size."""
    return show_value(quantity.value, quantity.low, quantity.high, quantity.unit)


def show_value(value: float, low: float, high: float, unit: str) -> Shown:
    """Return `value` with the interval `[low, high]` as text; the digits follow the width of the interval."""
    factor, name = scale(unit, value or high)
    before = _CURRENCY_SIGNS.get(unit, "")
    value, low, high = value / factor, low / factor, high / factor
    if unit in _CURRENCIES:
        places = money_places(value, low, high)
        trim = False
    else:
        places, trim = decimals(value, low, high), low == high
    texts = [number(x, places, trim=trim) for x in (value, low, high)]
    return Shown(value=texts[0], interval=interval(texts[1], texts[2], low == high), unit=name, before=before)


def significant(value: float, unit: str, digits: int = 3) -> str:
    """Return a value that has no interval of its own (a reading, one side of a difference) to `digits` digits."""
    factor, name = scale(unit, value)
    scaled = value / factor
    places = digits - 1 - _exponent(scaled) if scaled else 0
    if unit in _CURRENCIES:
        places = 2 if places > 0 else 0
    return with_unit(number(scaled, places), name, _CURRENCY_SIGNS.get(unit, ""))


def share(quantity: Quantity) -> Shown:
    """Return a fraction (0 to 1) as percent; a quantity already in percent stays as it is."""
    factor = 1.0 if quantity.unit in {"%", "percent"} else 100.0
    return show_value(quantity.value * factor, quantity.low * factor, quantity.high * factor, "%")


def scale(unit: str, value: float) -> tuple[float, str]:
    """Return the divisor and the name of the multiple of `unit` in which `value` reads best."""
    ladders = {"kWh": _ENERGY, "kgCO2e": _CARBON, "W": _POWER}
    if unit in ladders:
        return _step(ladders[unit], value)
    if unit == "J" or unit.startswith("J/"):
        # Energy per token is told and budgeted in J/token: below one joule the prefix waits for two zeros.
        factor, name = (1.0, "J") if 0.01 <= abs(value) < 1 else _step(_JOULE, value)
        return factor, name + unit[1:]
    if unit in _CURRENCIES:
        return 1.0, "" if unit in _CURRENCY_SIGNS else unit
    return 1.0, _FIXED.get(unit, unit.replace("gCO2e/", "g CO₂e/"))


def _step(ladder: tuple[tuple[float, str], ...], value: float) -> tuple[float, str]:
    if value == 0:
        return next(step for step in ladder if step[0] == 1.0)
    return next((step for step in reversed(ladder) if abs(value) >= step[0]), ladder[0])


def decimals(value: float, low: float, high: float) -> int:
    """Return the decimal place to round to (negative: tens, hundreds) for a value with the interval `[low, high]`.

    Without width: four significant digits, whole numbers in full. Never more than four significant digits, and never
    so few that a value other than 0 would read as 0.
    """
    if high <= low:
        return 3 if value == 0 else max(0, 3 - _exponent(value))
    half = high / 2 - low / 2
    if half == 0 or math.isinf(half):  # beyond what a float can halve or scale
        return max(0, 3 - _exponent(value)) if value else 3
    exponent = _exponent(half)
    places = 1 - exponent if round(half / 10.0**exponent * 100) < 355 else -exponent
    if value == 0:
        return places
    return max(min(places, 3 - _exponent(value)), -_exponent(value))


def money_places(value: float, low: float, high: float) -> int:
    """Return the places for an amount of money: cents or none, as the interval allows; tens and more for wide ones."""
    if high <= low:
        return 0 if abs(value) >= 1000 else 2 if abs(value) >= 0.1 else max(2, decimals(value, low, high))
    places = decimals(value, low, high)
    return 2 if places == 1 else places


def number(value: float, places: int, *, trim: bool = False) -> str:
    """Return `value` rounded to `places` (negative: tens, hundreds), thousands grouped, with a true minus sign."""
    if math.isinf(value):  # beyond the range of a float once scaled
        return f"{MINUS}∞" if value < 0 else "∞"
    if value != 0 and not 1e-5 <= abs(value) < 1e9:
        mantissa, exponent = f"{value:.1e}".split("e")
        text = f"{mantissa}e{int(exponent)}"
    else:
        rounded = round(value, min(places, 12))
        text = f"{rounded:,.{max(min(places, 12), 0)}f}"
        if trim and "." in text:
            text = text.rstrip("0").rstrip(".")
        if rounded == 0:
            text = text.lstrip("-")
    return text.replace("-", MINUS)


def interval(low: str, high: str, exact: bool) -> str:
    """Return two numbers already written as one interval."""
    if exact:
        return NO_INTERVAL
    return f"{low} to {high}" if MINUS in low + high else f"{low}{RANGE}{high}"


def with_unit(value: str, unit: str, before: str = "") -> str:
    """Return a number with its unit behind (percent, too) or its currency sign in front, the minus before the sign."""
    if before and value.startswith(MINUS):
        return f"{MINUS}{before}{value[1:]}"
    return f"{before}{value} {unit}".rstrip() if unit else f"{before}{value}"


def signed_percent(percent: float) -> str:
    """Return a change in percent with its sign: one decimal below 10 %, none above; a zero has no sign."""
    places = 1 if abs(percent) < 9.95 else 0
    text = number(percent, places)
    zero = float(f"{percent:.{places}f}") == 0
    return f"{text} %" if percent < 0 or zero else f"+{text} %"


def percent(fraction: float) -> str:
    """Return a fraction as percent, never rounded up to 100 % or down to 0 %."""
    value = fraction * 100
    if 0 < value < 1:
        return "< 1 %" if value < 0.95 else "1 %"
    if 99 < value < 100:
        return f"{math.floor(value * 10) / 10:.1f} %"
    return f"{number(value, 0)} %"


def count(value: float) -> str:
    """Return a whole count, thousands grouped; from a million on in M, B (1e9) and T (1e12) with three digits."""
    for factor, suffix in _COUNTS:
        if abs(value) >= factor:
            return number(value / factor, max(0, 2 - _exponent(value / factor)), trim=True) + f" {suffix}"
    return number(value, 0)


def plural(value: float, singular: str, many: str | None = None) -> str:
    """Return a count with its noun, such as `1 node` and `8 nodes`."""
    return f"{count(value)} {singular if value == 1 else many or singular + 's'}"


def duration(seconds: float) -> str:
    """Return a span of time in its two largest units, such as `1 h 02 min`."""
    if seconds < 60:
        return f"{number(seconds, 1 if seconds < 10 else 0, trim=True)} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    if minutes < 60 * 48:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = round(seconds / 3600)
    return f"{number(hours // 24, 0)} d {hours % 24:02d} h"


def age(seconds: float) -> str:
    """Return how long ago something was, in its largest unit, such as `3 days`."""
    for size, name in ((86400 * 365.25, "year"), (86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return plural(int(seconds // size), name)
    return "less than a minute"


def _exponent(value: float) -> int:
    return math.floor(math.log10(min(max(abs(value), 1e-300), 1e300)))
