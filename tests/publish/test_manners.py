"""Requests that GitHub refuses, limits, delays or drops: what is tried again, after how long, and what never is."""

import time
from collections.abc import Callable

import pytest

from ecoaudit.errors import EcoauditError
from ecoaudit.publish.address import check_address
from ecoaudit.publish.api import Api
from ecoaudit.publish.failure import ApiFailure, Kind
from ecoaudit.publish.retry import Patience, Retrier
from github_fake import Artifact, FakeGitHub, sha

from .conftest import connect

NOW = 1_800_000_000


def test_retry_after_is_obeyed_to_the_second(fake: FakeGitHub, api: Api, slept: list[float]) -> None:
    """EnricoMi #150 #170 #384 #419 #619, codecov-action #1373: secondary rate limits are the rule with many jobs."""
    fake.fail("GET", status=403, message="You have exceeded a secondary rate limit", headers={"Retry-After": "37"})
    api.comments(7)
    assert slept == [37.0]


def test_a_429_is_a_limit_too(fake: FakeGitHub, api: Api, slept: list[float]) -> None:
    fake.fail("GET", status=429, message="too many", headers={"Retry-After": "5"}, times=2)
    api.comments(7)
    assert slept == [5.0, 5.0]


def test_the_reset_of_the_primary_limit_is_waited_for(fake: FakeGitHub, api: Api, slept: list[float]) -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOW + 90)}
    fake.fail("GET", status=403, message="API rate limit exceeded for installation", headers=headers)
    api.comments(7)
    assert slept == [91.0]


def test_a_limit_that_says_no_time_waits_a_minute(fake: FakeGitHub, api: Api, slept: list[float]) -> None:
    fake.fail("GET", status=403, message="You have exceeded a secondary rate limit")
    api.comments(7)
    assert slept == [60.0]


def test_a_reset_that_is_too_far_away_is_not_waited_for(fake: FakeGitHub, api: Api, slept: list[float]) -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOW + 3000)}
    fake.fail("GET", status=403, message="API rate limit exceeded", headers=headers)
    with pytest.raises(ApiFailure, match="3001 s, which is too long"):
        api.comments(7)
    assert slept == []


def test_writes_keep_a_distance(fake: FakeGitHub) -> None:
    """GitHub advises a second between writes; without it the secondary limit comes within a minute."""
    spaced = connect(fake, seconds_between_writes=0.25)
    began = time.monotonic()
    for body in ("a", "b", "c"):
        spaced.create_comment(7, body, lambda: None)
    assert time.monotonic() - began >= 0.5
    spaced.close()


def test_server_errors_back_off_and_end(fake: FakeGitHub, api: Api, slept: list[float]) -> None:
    fake.fail("GET", status=503, times=99)
    with pytest.raises(ApiFailure) as caught:
        api.comments(7)
    assert caught.value.kind == Kind.UNSETTLED
    assert slept == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (401, "Bad credentials", Kind.DENIED),
        (403, "Resource not accessible by integration", Kind.DENIED),
        (404, "Not Found", Kind.MISSING),
        (410, "Gone", Kind.MISSING),
        (422, "Validation Failed", Kind.REFUSED),
    ],
)
def test_what_asking_again_cannot_change_is_asked_once(
    fake: FakeGitHub, api: Api, slept: list[float], status: int, message: str, kind: Kind
) -> None:
    fake.fail("GET", status=status, message=message, times=99)
    with pytest.raises(ApiFailure) as caught:
        api.comments(7)
    assert caught.value.kind == kind
    assert message in str(caught.value)
    assert slept == []
    assert len(fake.state.requests) == 1


def test_a_conflict_is_tried_again(fake: FakeGitHub, api: Api, slept: list[float]) -> None:
    fake.fail("GET", status=409, message="Conflict")
    assert api.comments(7) == []
    assert len(slept) == 1


@pytest.mark.parametrize("fault", [{"cut": True}, {"slow_s": 1.5}], ids=["cut", "slow"])
def test_cut_and_slow_connections_are_tried_again(
    fake: FakeGitHub, slept: list[float], fault: dict[str, float]
) -> None:
    impatient = connect(fake, slept, timeout_s=1)
    fake.fail("GET", **fault)
    assert impatient.comments(7) == []
    assert slept == [1.0]
    impatient.close()


def test_a_network_that_is_down_is_given_up_after_one_request() -> None:
    waits: list[float] = []
    api = Api("http://127.0.0.1:9", "octo/train", "t", retrier=Retrier(Patience(attempts=3), sleep=waits.append))
    for _ in range(3):
        with pytest.raises(ApiFailure) as caught:
            api.comments(7)
        assert caught.value.kind == Kind.UNSETTLED
    assert len(waits) == 2
    api.close()


def test_a_link_to_another_host_is_not_followed(fake: FakeGitHub, api: Api) -> None:
    fake.state.add_comment(7, "x")
    fake.link_host = "https://evil.example"
    for _ in range(120):
        fake.state.add_comment(7, "x")
    with pytest.raises(ApiFailure, match="another host"):
        api.comments(7)


def test_deleting_what_is_gone_is_fine(fake: FakeGitHub, api: Api) -> None:
    api.delete_comment(424242)


def test_the_token_never_reaches_a_redirect(fake: FakeGitHub, api: Api) -> None:
    fake.state.artifacts.append(Artifact(1, "ecoaudit", 5, "main", sha(2), b"zip"))
    [artifact] = api.artifacts(name="ecoaudit")
    assert api.download(artifact, 100) == b"zip"
    assert fake.state.violations == []


def test_a_download_stops_at_its_cap(fake: FakeGitHub, api: Api) -> None:
    fake.state.artifacts.append(Artifact(1, "ecoaudit", 5, "main", sha(2), b"z" * 200_000))
    [artifact] = api.artifacts(name="ecoaudit")
    with pytest.raises(ApiFailure, match="larger than"):
        api.download(artifact, 100_000)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.github.com",
        "https://ghes.example/api/v3",
        "http://127.0.0.1:8080",
        "http://localhost:1",
        "http://[::1]:1",
    ],
)
def test_a_token_may_go_to_https_and_to_this_machine(url: str) -> None:
    check_address(url, allow_http=False)


@pytest.mark.parametrize(
    "url", ["http://ghes.example/api/v3", "http://127.0.0.1.evil.example", "ftp://x", "https://", ""]
)
def test_a_token_goes_nowhere_else(url: str) -> None:
    with pytest.raises(EcoauditError, match="token"):
        check_address(url, allow_http=False)


def test_plain_http_may_be_allowed_by_name() -> None:
    check_address("http://ghes.example/api/v3", allow_http=True)


def test_a_write_looks_before_it_leaps() -> None:
    """A write whose answer was lost happens at most once, however often the connection fails."""
    happened: list[int] = []

    def write() -> int:
        happened.append(1)
        raise ApiFailure(Kind.UNSETTLED, "cut")

    look: Callable[[], int | None] = lambda: len(happened) or None  # noqa: E731
    retrier = Retrier(sleep=lambda _: None)
    assert retrier.write(write, look) == 1
    assert happened == [1]
