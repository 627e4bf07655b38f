"""Answers of providers kept on disk: fewer requests, and the same figures when an audit is repeated offline."""

import contextlib
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

MAX_ENTRIES = 512
MAX_BYTES = 32 * 2**20


class _Entry(msgspec.Struct):
    """An answer with the moment after which it is asked for again (Unix s); None keeps it for good."""

    expires_s: float | None
    body: str


def default_folder() -> Path:
    """Return the user's cache folder after the XDG base directory specification."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(given) if given and Path(given).is_absolute() else Path.home() / ".cache"
    return base / "ecoaudit" / "grid"


@dataclass(frozen=True, slots=True)
class Cache:
    """A bounded folder of answers, the least recently used dropped first. A folder that cannot be used is no error."""

    folder: Path
    max_entries: int = MAX_ENTRIES
    max_bytes: int = MAX_BYTES

    def get(self, key: str) -> str | None:
        """Return the answer kept under `key`, None if there is none, it is too old, or it cannot be read."""
        path = self._path(key)
        try:
            entry = msgspec.json.decode(path.read_bytes(), type=_Entry)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        if entry.expires_s is not None and entry.expires_s < time.time():
            return None
        with contextlib.suppress(OSError):  # a cache that is read only still serves
            os.utime(path)
        return entry.body

    def put(self, key: str, body: str, *, keep_s: float | None) -> None:
        """Keep an answer for `keep_s` seconds, for good if None."""
        entry = _Entry(None if keep_s is None else time.time() + keep_s, body)
        path = self._path(key)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part.write_bytes(msgspec.json.encode(entry))
            part.replace(path)
            self._prune()
        except OSError:
            return  # no cache is slower, never wrong

    def _path(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.json"

    def _prune(self) -> None:
        found = sorted(((p.stat(), p) for p in self.folder.glob("*.json")), key=lambda item: -item[0].st_mtime_ns)
        size = 0
        for number, (stat, path) in enumerate(found, 1):
            size += stat.st_size
            if number > self.max_entries or size > self.max_bytes:
                path.unlink(missing_ok=True)
