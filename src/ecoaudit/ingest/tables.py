"""Rows of delimited text as tools really write them: quoted line ends, torn rows, other delimiters."""

import csv
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
