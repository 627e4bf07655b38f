"""On which side of a node's power supplies a meter reads: AC (the wall) or DC."""

import re
from pathlib import PurePath
from typing import Literal

from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import UNSAID_SIDE, ReadOptions

Side = Literal["ac", "dc"]
_IN_NAME = re.compile(r"(?:^|[-_. ])(ac|dc)(?:$|[-_. ])", re.IGNORECASE)


def declared_side(in_log: str | None, path: str, options: ReadOptions, account: Account) -> Side | None:
    """Return the side by the log's own metadata, then the user's word, then a folder's name; None if none says."""
    if in_log in {"ac", "dc"}:
        return "ac" if in_log == "ac" else "dc"
    if options.meter_boundary:
        return options.meter_boundary
    for folder in reversed(PurePath(path).parts[:-1]):
        match = _IN_NAME.search(folder)
        if match:
            account.warn(f"the readings are taken for {match[1].upper()} by the folder's name {folder!r}")
            return "ac" if match[1].lower() == "ac" else "dc"
    account.warn(UNSAID_SIDE)
    return None
