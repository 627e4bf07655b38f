"""The tables' files: CSV in the package, one row a fact with its source, year, licence and basis."""

import csv
from importlib import resources

from ecoaudit.reference.types import Citation

Row = dict[str, str]


def read(table: str) -> list[Row]:
    """Return the rows of the bundled table `table` (a file name without `.csv`); an empty cell means not known."""
    path = resources.files("ecoaudit.reference") / "tables" / f"{table}.csv"
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def number(row: Row, column: str) -> float:
    """Return a figure that every row must have."""
    return float(row[column])


def optional(row: Row, column: str) -> float | None:
    """Return a figure, or None for an empty cell."""
    return float(row[column]) if row[column] else None


def text(row: Row, column: str) -> str | None:
    """Return a cell, or None for an empty one."""
    return row[column] or None


def citation(row: Row, prefix: str = "") -> Citation:
    """Return where the row's figure comes from; `prefix` picks a second source of the row, such as `embodied_`."""
    return Citation(
        source=row[f"{prefix}source"],
        year=row.get(f"{prefix}year") or None,
        licence=row.get(f"{prefix}licence") or None,
    )
