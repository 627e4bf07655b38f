"""Rows of delimited text as tools really write them: quoted line ends, torn rows, other delimiters."""

import csv
import re
from collections.abc import Iterable, Iterator

_JOIN_LIMIT = 8


def rows(lines: Iterable[tuple[int, str]], delimiter: str = ",") -> Iterator[tuple[int, list[str], str]]:
    """Yield `(line, cells, text)` of each row; cells are stripped.

    A quote left open takes in the next lines until it closes, eight at most: a torn quote must not swallow the file.
    """
    held: list[tuple[int, str]] = []
    for number, text in lines:
        held.append((number, text))
        joined = "\n".join(part for _, part in held)
        if joined.count('"') % 2 and len(held) < _JOIN_LIMIT:
            continue
        if joined.count('"') % 2:
            for alone, part in held:
                yield alone, _split(part.replace('"', ""), delimiter), part
        else:
            yield held[0][0], _split(joined, delimiter), joined
        held = []
    for alone, part in held:
        yield alone, _split(part.replace('"', ""), delimiter), part


def cells_of(text: str, delimiter: str = ",") -> list[str]:
    """Return the cells of one row, stripped."""
    return _split(text if text.count('"') % 2 == 0 else text.replace('"', ""), delimiter)


def _split(text: str, delimiter: str) -> list[str]:
    """Return the cells of one row."""
    if '"' not in text:
        return [cell.strip() for cell in text.split(delimiter)]
    try:
        return [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter, skipinitialspace=True), [])]
    except csv.Error:  # a carriage return outside quotes, or a cell beyond the module's limit
        return [cell.strip() for cell in text.replace('"', "").split(delimiter)]


def delimiter_of(header: str) -> str:
    """Return the delimiter of a header line: the most frequent of tab, semicolon and comma."""
    return max(",;\t", key=header.count)


def word_of(name: str) -> str:
    """Return a column's name in lower case with `_` for all else: `power.draw` and `PowerDraw` are `power_draw`."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_")


def decimal(text: str, delimiter: str) -> str:
    """Return a number's cell with a decimal point; a decimal comma can stand where commas part no cells.

    A point before the comma marks thousands then (`1.234,5`).
    """
    if delimiter == "," or "," not in text:
        return text
    head, _, tail = text.rpartition(",")
    if delimiter != ";" and len(tail.rstrip(" WwKk")) == 3:
        return text  # thousands, as nvidia-smi's own tables have them
    return f"{head.replace('.', '').replace(',', '')}.{tail}"
