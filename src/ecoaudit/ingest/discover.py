"""From what the user named (files, folders, globs, URLs) to the list of files to read."""

import glob
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from ecoaudit.errors import EcoauditError

_SKIPPED_FOLDERS = {".git", "__pycache__", ".venv", "venv", "node_modules", ".ipynb_checkpoints"}


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read; `named` is true when the user named this very file, which must then be a log."""

    path: str
    named: bool


def files(inputs: Sequence[str]) -> list[Found]:
    """Return the files that `inputs` mean, each once, in order.

    Raises `EcoauditError` for a missing path, an empty folder, a glob without a match, or no input at all.
    """
    if not inputs:
        raise EcoauditError("no input given", fix="name log files, folders or globs")
    found: dict[str, Found] = {}
    for text in inputs:
        for item in _expand(text):
            key = item.path if "://" in item.path else str(Path(item.path).resolve())
            known = found.get(key)
            if known is None or (item.named and not known.named):
                found[key] = item
    return list(found.values())


def _expand(text: str) -> Iterable[Found]:
    if not text.strip():
        raise EcoauditError("an input's name is empty", fix="write . for the current folder")
    if text.startswith("file://"):
        text = unquote(urlsplit(text).path)
    if "://" in text:
        if "*" in text:
            raise EcoauditError("a pattern does not match on a server", where=text, fix="name each file by its URL")
        return [Found(text, named=True)]
    path = _home(Path(text))
    mode = _mode(path)
    if stat.S_ISREG(mode):
        return [Found(str(path), named=True)]
    if stat.S_ISDIR(mode):
        inside = _walk(path)
        if not inside:
            raise EcoauditError("the folder is empty", where=text, fix="name the folder that holds the logs")
        return [Found(p, named=False) for p in inside]
    if glob.has_magic(text):
        matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - patterns may be absolute
        if not matches:
            raise EcoauditError("no file matches the pattern", where=text)
        out: list[Found] = []
        for match in matches:
            inner = Path(match)
            out += [Found(p, named=False) for p in (_walk(inner) if stat.S_ISDIR(_mode(inner)) else [match])]
        return out
    if mode or text == "-":
        raise EcoauditError(
            "logs are read more than once, which a pipe or a device does not allow",
            where=text,
            fix="write it to a file, and name that",
        )
    raise EcoauditError("no such file or folder", where=text, fix="check the path; quote globs")


def _home(path: Path) -> Path:
    """Return the path with the home folder that a leading ~ means, if it means one: files may be called ~."""
    try:
        return path if _mode(path) else path.expanduser()
    except (RuntimeError, ValueError):  # no such user; a NUL in the name
        return path


def _walk(folder: Path) -> list[str]:
    """Return the files below a folder in a natural order (node_2 before node_10); hidden files are left out.

    Raises `EcoauditError` for a folder that cannot be read: an audit of the rest would pass for the whole run's.
    """

    def refuse(error: OSError) -> NoReturn:
        raise _unreadable(error, error.filename or folder)

    inside = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS and not name.startswith(".")]
        inside += [
            path for name in names if not name.startswith(".") and stat.S_ISREG(_mode(path := Path(parent, name)))
        ]
    return [str(p) for p in sorted(inside, key=lambda p: _natural(str(p)))]


def _mode(path: Path) -> int:
    """Return the mode of what `path` names, 0 for nothing; raises `EcoauditError` where the folder bars the look."""
    try:
        return path.stat().st_mode
    except PermissionError as error:
        raise _unreadable(error, path.parent) from error
    except (OSError, ValueError):
        return 0


def _unreadable(error: OSError, folder: str | Path) -> EcoauditError:
    return EcoauditError(
        f"cannot read the folder: {error.strerror or error}",
        where=str(folder),
        fix="give access to it, or name the files to read",
    )


def _natural(text: str) -> list[tuple[int, int, str]]:
    out: list[tuple[int, int, str]] = []
    digits = word = ""
    for character in text + "\0":
        if character.isdecimal() and character.isascii():
            if word:
                out.append((1, 0, word))
                word = ""
            digits += character
        else:
            if digits:
                out.append((0, int(digits), ""))
                digits = ""
            word += character
    out.append((1, 0, word))
    return out
