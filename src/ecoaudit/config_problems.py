"""What is wrong with a value of the configuration, in words: its place, what it should be, and the nearest choice."""

import difflib
import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

_AT = re.compile(r" - at `\$\.?([^`]*)`$")
_MISSING = re.compile(r"missing required field `(.*)`")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_QUOTES = "YAML reads NO, no, off, on and yes as true or false: put it in quotes"


def nearest(word: object, choices: tuple[str, ...]) -> str | None:
    """Return the one of `choices` that is written most like `word`, None where none is alike."""
    near = difflib.get_close_matches(str(word).lower(), choices, n=1, cutoff=0.5)
    return near[0] if near else next((c for c in choices if len(str(word)) > 2 and c.startswith(str(word))), None)


def explain(error: Exception, data: Any, kind: type[msgspec.Struct]) -> tuple[str, str, str | None]:
    """Return `(place, what, fix)` of the error that converting `data` to `kind` raised.

    The place is written like `budgets[0].metric`, counted from 0; it is empty for the configuration as a whole.
    """
    text = str(error)
    found = _AT.search(text)
    if found is None:
        return "", text, None
    place, text = found.group(1), text[: found.start()]
    value, types = data, _members(inspect.type_info(kind))
    for name, number in _STEP.findall(place):
        value, types = _step(value, types, name, number)
    what, fix = _wrong(value, types)
    if missing := _MISSING.search(text):
        what = f"the key {missing.group(1)!r} is missing"
    return place, what or text, fix


def _step(value: Any, types: list[inspect.Type], name: str, number: str) -> tuple[Any, list[inspect.Type]]:
    """Return the value one step deeper and the types that it may have."""
    if number:
        lists = [t.item_type for t in types if isinstance(t, inspect.VarTupleType)]
        return value[int(number)], [member for t in lists for member in _members(t)]
    fields = [f.type for t in types if isinstance(t, inspect.StructType) for f in t.fields if f.name == name]
    inner = value.get(name) if isinstance(value, Mapping) else None
    return inner, [member for t in fields for member in _members(t)]


def _members(kind: inspect.Type) -> list[inspect.Type]:
    return list(kind.types) if isinstance(kind, inspect.UnionType) else [kind]


def _wrong(value: Any, types: list[inspect.Type]) -> tuple[str | None, str | None]:
    """Return what is wrong with `value` and what to do, None where the types do not tell."""
    if any(isinstance(t, inspect.StructType) for t in types):
        if isinstance(value, Mapping):
            return None, None  # what is wrong lies between its keys, and the error says it
        return f"must be a mapping of keys to values, got {value!r}", None
    if any(isinstance(t, inspect.VarTupleType) for t in types):
        return "must be a list", None
    choices = tuple(str(v) for t in types if isinstance(t, inspect.LiteralType) for v in t.values)
    number = next((t for t in types if isinstance(t, (inspect.FloatType, inspect.IntType))), None)
    wanted = [_number(number)] if number is not None else []
    if wanted and isinstance(value, float) and not math.isfinite(value):
        wanted[0] = wanted[0].replace("a number", "a finite number")
    if choices:
        wanted.append(("one of " if len(choices) > 1 else "") + ", ".join(choices))
    if any(isinstance(t, inspect.StrType) for t in types):
        wanted.append("text")
    if not wanted:
        return None, None
    what = f"must be {' or '.join(wanted)}, got {_shown(value)}"
    if isinstance(value, bool) and number is None:
        return what, _QUOTES
    if wanted == ["text"]:
        return what, "put it in quotes"
    near = nearest(value, choices) if isinstance(value, str) else None
    return what, f"did you mean {near!r}?" if near else None


def _number(kind: inspect.FloatType | inspect.IntType) -> str:
    noun = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
    low, high = kind.ge, kind.le
    if low is not None and high is not None and high < 1e6:
        return f"{noun} from {low:g} to {high:g}"
    if kind.gt is not None:
        return f"{noun} above {kind.gt:g}"
    return f"{noun} of at least {low:g}" if low is not None else noun


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
