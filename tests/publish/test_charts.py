"""The branch of the charts: what is on it, who gives way, and that nothing of anyone else's is ever lost."""

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.publish import chart_store, charts
from ecoaudit.publish.api import Api
from ecoaudit.publish.effects import Picture, StoreCharts
from ecoaudit.publish.failure import ApiFailure, Kind
from github_fake import DEFAULT_TOKEN, Actor, FakeGitHub, sha

from .conftest import connect

BRANCH = "ecoaudit-charts"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><title>t</title><desc>d</desc><path d="M0 0"/>%d</svg>'


def run_of(number: int, project: str = "demo", *, size: int = 0, badge: str | None = None) -> StoreCharts:
    """Return what run `number` on commit `number` stores."""
    fill = b"x" * size
    return StoreCharts(
        branch=BRANCH,
        project=project,
        commit=sha(number),
        run_id=number,
        pictures=(Picture(name="power", light=SVG % number + fill, dark=SVG % -number + fill),),
        badges={"badge-carbon.svg": badge} if badge else {},
    )


def index_on(fake: FakeGitHub) -> charts.Index:
    found = charts.read_index(fake.state.files_on(BRANCH)[charts.INDEX])
    assert found
    return found


def runs_on(fake: FakeGitHub) -> list[tuple[str, int]]:
    return [(run.project, run.run_id) for run in index_on(fake).runs]


# --- on the server ---


def test_the_first_run_makes_the_branch(fake: FakeGitHub, api: Api) -> None:
    assert chart_store.store(api, run_of(5, badge="b5")) == ""
    files = fake.state.files_on(BRANCH)
    [picture] = index_on(fake).runs[0].pictures
    assert set(files) == {charts.INDEX, picture.light, picture.dark, "badges/demo/badge-carbon.svg"}
    assert chart_store.read(api, BRANCH) == index_on(fake)


def test_there_is_never_more_than_one_commit(fake: FakeGitHub, api: Api) -> None:
    """paradedb #4753: a data branch grew to 2.5 GB."""
    for number in (5, 6, 7):
        chart_store.store(api, run_of(number))
    tip = fake.state.branches[BRANCH]
    assert fake.state.git.commits[tip][1] == ()
    assert runs_on(fake) == [("demo", 5), ("demo", 6), ("demo", 7)]


def test_the_same_run_again_writes_nothing(fake: FakeGitHub, api: Api) -> None:
    chart_store.store(api, run_of(5, badge="b"))
    tip = fake.state.branches[BRANCH]
    assert chart_store.store(api, run_of(5, badge="b")) == ""
    assert fake.state.branches[BRANCH] == tip
    assert len(fake.state.git.commits) == 1


def test_who_loses_the_race_adds_to_what_won(fake: FakeGitHub, api: Api) -> None:
    """github-action-benchmark #272 #173: the jobs of a matrix race, and one's figures are lost."""
    chart_store.store(api, run_of(5))
    other = connect(fake)
    raced = []

    def race(what: str) -> None:
        if what == "POST /repos/octo/train/git/commits" and not raced:
            raced.append(what)
            assert chart_store.store(other, run_of(7, "vision", badge="v")) == ""

    fake.before = race
    assert chart_store.store(api, run_of(6, badge="d")) == ""
    assert raced
    assert runs_on(fake) == [("demo", 5), ("demo", 6), ("vision", 7)]
    assert {"badges/demo/badge-carbon.svg", "badges/vision/badge-carbon.svg"} <= set(fake.state.files_on(BRANCH))
    other.close()


def test_a_race_for_the_first_commit_is_no_different(fake: FakeGitHub, api: Api) -> None:
    other = connect(fake)
    raced = []

    def race(what: str) -> None:
        if what.endswith("/git/trees") and not raced:
            raced.append(what)
            chart_store.store(other, run_of(7))

    fake.before = race
    assert chart_store.store(api, run_of(6)) == ""
    assert runs_on(fake) == [("demo", 6), ("demo", 7)]
    other.close()


def test_a_race_that_is_always_lost_ends(fake: FakeGitHub, api: Api) -> None:
    """rjsf PR5236: a lost push race must not fail the job."""
    numbers = iter(range(100, 200))

    def race(what: str) -> None:
        if what == "POST /repos/octo/train/git/commits":
            tree = fake.state.git.add_tree({charts.INDEX: msgspec.json.encode(charts.EMPTY)})
            fake.state.branches[BRANCH] = fake.state.git.add_commit(tree, (), str(next(numbers)))

    fake.before = race
    assert "kept changing" in chart_store.store(api, run_of(6))


@pytest.mark.parametrize(
    "files",
    [
        {"index.html": b"our page"},
        {"index.json": b'{"name": "a package"}'},
        {"index.json": b'{"schema": "ecoaudit.charts/9"}'},
        {"index.json": b"[" * 100_000},
    ],
    ids=["a site", "another index", "a newer version", "nonsense"],
)
def test_a_branch_with_other_things_is_left_alone(fake: FakeGitHub, api: Api, files: dict[str, bytes]) -> None:
    """py-cov's data branch is forced: naming gh-pages there by mistake loses the site."""
    git = fake.state.git
    tip = fake.state.branches[BRANCH] = git.add_commit(git.add_tree(files), (), "theirs")
    assert "other things" in chart_store.store(api, run_of(5))
    assert fake.state.branches[BRANCH] == tip
    assert chart_store.read(api, BRANCH) is None


def test_a_lost_answer_is_looked_up(fake: FakeGitHub, api: Api) -> None:
    chart_store.store(api, run_of(5))
    fake.fail("POST /graphql", cut=True, after=True, times=2)
    assert chart_store.store(api, run_of(6)) == ""
    assert runs_on(fake) == [("demo", 5), ("demo", 6)]


def test_a_token_that_may_only_read_is_told_so(fake: FakeGitHub, api: Api) -> None:
    denied = frozenset({"contents:write"})
    fake.state.actors[DEFAULT_TOKEN] = Actor("github-actions[bot]", 41898282, "github-actions", denied)
    with pytest.raises(ApiFailure) as caught:
        chart_store.store(api, run_of(5))
    assert caught.value.kind == Kind.DENIED
    assert BRANCH not in fake.state.branches


def test_a_branch_that_may_not_be_moved_is_no_race(fake: FakeGitHub, api: Api) -> None:
    """py-cov #305: a protected branch; nothing is tried again that asking again cannot change."""
    fake.fail("POST /graphql", status=422, message="Protected branch", times=99)
    with pytest.raises(ApiFailure, match="Protected"):
        chart_store.store(api, run_of(5))


def test_what_graphql_refuses_is_said_in_its_words(fake: FakeGitHub, api: Api) -> None:
    """A rule of the repository may forbid the branch to a token that can write objects."""
    denied = Actor("github-actions[bot]", 41898282, "github-actions", frozenset({"contents:write"}))

    def forbid(what: str) -> None:
        fake.state.actors[DEFAULT_TOKEN] = denied if what == "POST /graphql" else fake.state.actors["free"]

    fake.state.actors["free"] = fake.state.actors[DEFAULT_TOKEN]
    fake.before = forbid
    with pytest.raises(ApiFailure, match=r"^400 Resource not accessible by integration$"):
        chart_store.store(api, run_of(5))


def test_there_is_no_index_where_there_is_no_branch(api: Api) -> None:
    assert chart_store.read(api, BRANCH) is None


# --- as data ---


def added(*runs: StoreCharts) -> tuple[charts.Index, frozenset[str], dict[str, str]]:
    """Return index, paths and badges after `runs` stored one after the other."""
    index, files = charts.EMPTY, dict[str, str]()
    for run in runs:
        content = charts.add(index, frozenset(files), run)
        files = {**{path: files[path] for path in content.kept}, **content.new}
        read = charts.read_index(files[charts.INDEX].encode())
        assert read
        index = read
    return index, frozenset(files), {path: text for path, text in files.items() if path.startswith("badges/")}


def test_pictures_are_named_by_their_content_and_have_a_background() -> None:
    """community #210469 #210983: `<picture>` follows the system's theme, which the page's may not be."""
    [one] = added(run_of(5))[0].runs[0].pictures
    assert one.light != one.dark
    assert b"#ffffff" in charts.opaque(SVG, "light")
    assert charts.opaque(SVG, "dark").index(b"<rect") < SVG.index(b"<path") + 1


def test_an_older_run_adds_its_pictures_and_leaves_the_badge() -> None:
    index, _, badges = added(run_of(9, badge="new"), run_of(8, badge="old"))
    assert [run.run_id for run in index.runs] == [8, 9]
    assert badges == {"badges/demo/badge-carbon.svg": "new"}


def test_a_commit_has_the_pictures_of_its_last_run() -> None:
    again = msgspec.structs.replace(run_of(5), run_id=8)
    assert [run.run_id for run in added(run_of(5), run_of(6), again)[0].runs] == [6, 8]


def test_the_oldest_give_way_when_the_branch_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "MAX_BRANCH_BYTES", 10_000)
    index, paths, _ = added(*(run_of(number, size=1_500) for number in range(5, 12)))
    assert [run.run_id for run in index.runs] == [9, 10, 11]
    assert len(paths) == 1 + 2 * 3


def test_a_picture_without_measure_is_left_out() -> None:
    index, paths, _ = added(run_of(5, size=charts.MAX_PICTURE_BYTES))
    assert index.runs[0].pictures == ()
    assert paths == {charts.INDEX}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["", "a", "B c"])), max_size=12))
def test_the_branch_holds_what_its_index_names_and_no_more(steps: list[tuple[int, str]]) -> None:
    index, paths, badges = added(*(run_of(number, project, badge="b") for number, project in steps))
    named = {path for run in index.runs for p in run.pictures for path in (p.light, p.dark)}
    assert paths - badges.keys() == (named | {charts.INDEX} if steps else set())
    assert len(badges) == len({project for _, project in steps})


GOOD_PATH = f"pictures/{'a' * 32}.svg"


@pytest.mark.parametrize(
    ("path", "commit", "ours"),
    [
        (GOOD_PATH, sha(1), True),
        ("../../x.svg", sha(1), False),
        ("https://evil.example/x.svg", sha(1), False),
        ("badges/a.svg", sha(1), False),
        (GOOD_PATH, "<img src=x>", False),
        (GOOD_PATH, "main", False),
    ],
)
def test_an_index_that_leads_elsewhere_is_not_ours(path: str, commit: str, ours: bool) -> None:
    picture = charts.Stored(name="power", light=path, dark=path, size=1)
    run = charts.Entry(project="p", commit=commit, run_id=1, pictures=(picture,))
    found = charts.read_index(msgspec.json.encode(charts.Index(schema=charts.SCHEMA, runs=(run,))))
    assert (found is not None) == ours


@pytest.mark.parametrize(
    ("project", "folder"),
    [
        ("", "badges"),
        ("llama-7b", "badges/llama-7b"),
        ("../..", "badges/x-"),
        ("A B", "badges/a-b-"),
        ("計", "badges/x-"),
    ],
)
def test_a_badge_folder_is_readable_and_stays_inside(project: str, folder: str) -> None:
    found = charts.badge_folder(project)
    assert found.startswith(folder)
    assert ".." not in found
    assert charts.badge_folder("A B") != charts.badge_folder("a b")


@pytest.fixture
def block() -> Iterator[str]:
    """The pictures of run 5, as its comment shows them."""
    index = added(run_of(5), run_of(6))[0]
    yield charts.block(index, "demo", sha(5), server_url="https://ghes.example", repository="o/r", branch=BRANCH)


def test_the_block_has_both_themes_and_says_what_it_shows(block: str) -> None:
    assert block.count("<picture>") == block.count("</picture>") == 1
    assert block.count("<details>") == block.count("</details>") == 1
    assert '(prefers-color-scheme: dark)" srcset="https://ghes.example/o/r/blob/ecoaudit-charts/pictures/' in block
    assert f'alt="Power over time, base run at {sha(5)[:7]}"' in block
    assert len(block.encode()) < 3_000


def test_there_is_no_block_for_a_run_that_is_not_there() -> None:
    index = added(run_of(5))[0]
    for project, commit in (("demo", sha(6)), ("other", sha(5))):
        assert charts.block(index, project, commit, server_url="s", repository="r", branch="b") == ""
