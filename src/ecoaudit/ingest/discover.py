"""From what the user named (files, folders, globs, URLs) to the list of files to read."""

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    if "://" in text:
        return [Found(text, named=True)]
    path = Path(text).expanduser()
    if path.is_file():
        return [Found(str(path), named=True)]
    if path.is_dir():
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
            out += [Found(p, named=False) for p in (_walk(inner) if inner.is_dir() else [match])]
        return out
    if path.exists():
        raise EcoauditError("this is neither a file nor a folder", where=text)
    raise EcoauditError("no such file or folder", where=text, fix="check the path; quote globs")


def _walk(folder: Path) -> list[str]:
    """Return the files below a folder in a natural order (node_2 before node_10); hidden files are left out."""
    inside = []
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if any(part in _SKIPPED_FOLDERS or part.startswith(".") for part in parts) or not path.is_file():
            continue
        inside.append(path)
    return [str(p) for p in sorted(inside, key=lambda p: _natural(str(p)))]


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
