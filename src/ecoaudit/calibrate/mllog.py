"""MLLOG lines of MLPerf power and result logs, kept as logged: milliseconds as integers, lines in file order.

The official energy rule is defined on the lines as they stand in the file, so this reader neither sorts nor converts.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from ecoaudit.errors import EcoauditError

_MARK = ":::MLLOG"


class Event(msgspec.Struct, frozen=True):
    """One MLLOG event; the mark may stand behind a rank prefix (`0: `), metadata may be an object, "" or absent."""

    time_ms: float
    key: str
    value: Any = None
    metadata: Any = None

    def detail(self, name: str) -> Any:
        """Return a metadata entry, None where the log has none."""
        return self.metadata.get(name) if isinstance(self.metadata, dict) else None


_DECODER = msgspec.json.Decoder(Event)
_LENIENT = json.JSONDecoder()


def events(path: Path, keys: Iterable[str] = ()) -> Iterator[Event]:
    """Yield the events of a file in file order, only those with one of `keys` when given.

    Lines without the mark or with broken JSON are passed over; raises `EcoauditError` when the file cannot be read.
    """
    wanted = re.compile("|".join(f'"{re.escape(key)}"' for key in keys)) if keys else None
    names = frozenset(keys)
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                at = line.find(_MARK)
                if at < 0 or (wanted is not None and not wanted.search(line, at)):
                    continue
                for piece in line[at + len(_MARK) :].split(_MARK):
                    event = _decoded(piece)
                    if event is not None and (not names or event.key in names):
                        yield event
    except OSError as error:
        raise EcoauditError(f"cannot read the log: {error.strerror or error}", where=str(path)) from error


def _decoded(piece: str) -> Event | None:
    """Return the record at the start of `piece`, None for a broken one; writers may glue text behind it."""
    try:
        return _DECODER.decode(piece)
    except msgspec.MsgspecError:
        try:
            found, _ = _LENIENT.raw_decode(piece.lstrip())
            return msgspec.convert(found, Event)
        except (ValueError, msgspec.ValidationError):
            return None
