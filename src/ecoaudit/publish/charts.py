"""The branch of the charts as data: its index, what a run adds, what gives way to it, and the comment's picture block.

The branch is one commit without a past. `index.json` at its root says that it is ours and which run each picture is of;
pictures are named by their content, since GitHub's image proxy caches by address; badges keep their names, since a
README links to them. Pure.
"""

import hashlib
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import msgspec

from ecoaudit.publish.effects import Picture, StoreCharts
from ecoaudit.report.charts.style import THEMES, ThemeName

SCHEMA = "ecoaudit.charts/1"
INDEX = "index.json"
SHOWN = ("trend", "power", "carbon")
"""The charts of a run that are stored, in the order in which a comment shows them."""
MAX_PICTURE_BYTES = 500_000
MAX_BRANCH_BYTES = 5_000_000
"""What all pictures may take together; the oldest runs give way. There is one commit, so this is what a clone pays."""
MAX_RUNS = 200
MAX_INDEX_BYTES = 1_000_000

_PATH = re.compile(r"pictures/[0-9a-f]{32}\.svg")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ALT = {
    "trend": "Energy over the last runs of the base branch",
    "power": "Power over time",
    "carbon": "Carbon and its budget",
}


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A picture on the branch: paths of its two themes, and their bytes together."""

    name: str
    light: str
    dark: str
    size: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one project."""

    project: str
    commit: str
    run_id: int
    pictures: tuple[Stored, ...]


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What is on the branch, the oldest run first. `schema` has no default: any JSON object would be an index then."""

    schema: str
    runs: tuple[Entry, ...] = ()


EMPTY = Index(schema=SCHEMA)


@dataclass(frozen=True, slots=True)
class Content:
    """What the branch should hold: `new` files by path, and paths `kept` from the commit before."""

    new: dict[str, str]
    kept: frozenset[str]


def read_index(data: bytes) -> Index | None:
    """Return the index in `data`; None when it is not ours, and the branch is thus not to be touched."""
    if len(data) > MAX_INDEX_BYTES:
        return None
    try:
        index = msgspec.json.decode(data, type=Index)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
        return None
    paths = (path for run in index.runs for picture in run.pictures for path in (picture.light, picture.dark))
    # Both are shown as they are, and whoever may push may write an index.
    sound = all(_PATH.fullmatch(path) for path in paths) and all(_COMMIT.fullmatch(run.commit) for run in index.runs)
    return index if index.schema == SCHEMA and sound else None


def add(index: Index, present: frozenset[str], effect: StoreCharts) -> Content:
    """Return what the branch should hold once `effect` is on it; `present` are the paths that it has.

    A run that is older than what the branch has of its project adds its pictures and leaves the badges alone.
    """
    files: dict[str, str] = {}
    stored = []
    for picture in effect.pictures:
        light, dark = opaque(picture.light, "light"), opaque(picture.dark, "dark")
        if max(len(light), len(dark)) > MAX_PICTURE_BYTES:
            continue
        paths = [_path(data) for data in (light, dark)]
        files |= {path: data.decode() for path, data in zip(paths, (light, dark), strict=True)}
        stored.append(Stored(name=picture.name, light=paths[0], dark=paths[1], size=len(light) + len(dark)))
    entry = Entry(
        project=effect.project,
        commit=effect.commit,
        run_id=effect.run_id,
        pictures=tuple(stored),
    )
    own = [run for run in index.runs if run.project == entry.project]
    others = [run for run in index.runs if (run.project, run.commit) != (entry.project, entry.commit)]
    runs = _within(sorted([*others, entry], key=lambda run: run.run_id))
    wanted = {path for run in runs for picture in run.pictures for path in (picture.light, picture.dark)}
    new = {path: text for path, text in files.items() if path in wanted and path not in present}
    badges = {f"{badge_folder(effect.project)}/{name}": text for name, text in effect.badges.items()}
    if all(run.run_id <= entry.run_id for run in own):
        new |= badges
    kept = {path for path in present if path in wanted or (path.startswith("badges/") and path not in new)}
    new[INDEX] = (
        msgspec.json.format(msgspec.json.encode(Index(schema=SCHEMA, runs=tuple(runs))), indent=1).decode() + "\n"
    )
    return Content(new, frozenset(kept))


def block(index: Index, project: str, commit: str, *, server_url: str, repository: str, branch: str) -> str:
    """Return the base run's pictures as a folded block of a comment; empty where the branch has none of that run.

    Every picture has a background of its own: `<picture>` follows the reader's system, which GitHub's page may not.
    """
    run = next((run for run in index.runs if (run.project, run.commit) == (project, commit)), None)
    if run is None:
        return ""
    root = f"{server_url}/{repository}/blob/{urllib.parse.quote(branch)}"
    parts = []
    for picture in sorted((p for p in run.pictures if p.name in SHOWN), key=lambda p: SHOWN.index(p.name)):
        light, dark = (escape(f"{root}/{path}?raw=true") for path in (picture.light, picture.dark))
        parts.append(
            f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
            f'<img src="{light}" alt="{_ALT[picture.name]}, base run at {commit[:7]}" width="720"></picture>'
        )
    if not parts:
        return ""
    body = "\n\n".join(parts)
    return f"\n<details><summary>Pictures of the base run {commit[:7]}</summary>\n\n{body}\n\n</details>\n"


def badge_folder(project: str) -> str:
    """Return where a project's badges are: names that read alike stay apart by a hash."""
    if not project:
        return "badges"
    plain = re.sub(r"[^a-z0-9]+", "-", project.lower()).strip("-")[:40]
    return f"badges/{plain}" if plain == project else f"badges/{plain or 'x'}-{_hash(project.encode())[:8]}"


def opaque(svg: bytes, theme: ThemeName) -> bytes:
    """Return the chart `svg` with its theme's page colour behind it."""
    head, end, rest = svg.partition(b"</desc>")
    if not end:
        return svg
    return head + end + f'<rect width="100%" height="100%" fill="{THEMES[theme].page}"/>'.encode() + rest


def pictures_of(charts: Mapping[str, bytes]) -> tuple[Picture, ...]:
    """Return the report's charts (`power-light.svg`, ...) as pairs."""
    return tuple(
        Picture(name=name, light=charts[f"{name}-light.svg"], dark=charts[f"{name}-dark.svg"])
        for name in SHOWN
        if {f"{name}-light.svg", f"{name}-dark.svg"} <= charts.keys()
    )


def _within(runs: Sequence[Entry]) -> list[Entry]:
    """Return the newest of `runs` that fit the branch, the oldest first; a picture of several runs counts once."""
    kept: list[Entry] = []
    seen: set[str] = set()
    total = 0
    for run in reversed(runs[-MAX_RUNS:]):
        new = [p for p in run.pictures if p.light not in seen]
        total += sum(p.size for p in new)
        if total > MAX_BRANCH_BYTES:
            break
        seen |= {p.light for p in new}
        kept.insert(0, run)
    return kept


def _path(data: bytes) -> str:
    return f"pictures/{_hash(data)[:32]}.svg"


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
