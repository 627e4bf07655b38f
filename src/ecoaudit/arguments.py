"""A configuration as options of `ecoaudit audit`: an audit carries them, so that it can be made again."""

from pathlib import PurePath

import msgspec

from ecoaudit.config import Config

_OPTIONS = {
    "intensity_g_per_kwh": "intensity",
    "market_intensity_g_per_kwh": "market-intensity",
    "price_per_gpu_hour": "price",
    "node_gpu_count": "node-gpus",
    "preset": "model",
}
"""Keys whose option has another name than the key."""
_JUDGED = frozenset({"budgets", "on_missing_baseline"})
"""Keys that an audit does not depend on."""
_FILES = frozenset({"intensity_series", "calibration"})


def arguments(config: Config) -> list[str]:
    """Return options and values in the order of the keys, what is left at its default left out.

    Of a file only its name is told, of a provider's address nothing: an audit is published, and they may hold secrets.
    """
    return _arguments(config, leave=_JUDGED)


def _arguments(settings: msgspec.Struct, leave: frozenset[str] = frozenset()) -> list[str]:
    found = []
    for field in msgspec.structs.fields(settings):
        value = getattr(settings, field.name)
        if field.name in leave or value == field.default:
            continue
        if isinstance(value, msgspec.Struct):
            found += _arguments(value)
        else:
            option = _OPTIONS.get(field.name, field.name).replace("_", "-")
            found += [f"--{option}", _text(field.name, value)]
    return found


def _text(key: str, value: object) -> str:
    if key in _FILES:
        return PurePath(str(value)).name
    if key == "grid_provider" and "://" in str(value):
        return "URL"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
