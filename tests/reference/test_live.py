"""Live intensities on recorded shapes: no test leaves this machine."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import responses

from ecoaudit import reference
from ecoaudit.errors import EcoauditError
from ecoaudit.reference import live
from ecoaudit.reference.live.cache import Cache, default_folder
from ecoaudit.reference.live.client import Client
from ecoaudit.reference.live.electricity_maps import URL as MAPS

JANUARY = 1_767_225_600.0  # 2026-01-01T00:00Z
HOUR = 3600.0
SPAN = (JANUARY + 600.0, JANUARY + 2 * HOUR + 60.0)
STOCKHOLM = live.Place(region=reference.load().region("aws:eu-north-1"))
BRITAIN = live.Place(zone="GB")
UK = re.compile(r"https://api\.carbonintensity\.org\.uk/intensity/.*")
TOKEN = "a-secret-token"


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELECTRICITYMAPS_TOKEN", TOKEN)


def maps_entry(hour: int, grams: float | None, **changes: Any) -> dict[str, Any]:
    return {
        "zone": "SE",
        "carbonIntensity": grams,
        "datetime": f"2026-01-01T{hour:02d}:00:00.000Z",
        "updatedAt": "2026-01-01T06:40:10.123Z",
        "createdAt": "2025-12-29T06:40:10.123Z",
        "emissionFactorType": "lifecycle",
        "isEstimated": False,
        "estimationMethod": None,
        **changes,
    }


def maps_answer(*entries: dict[str, Any], zone: str = "SE") -> dict[str, Any]:
    return {"zone": zone, "data": list(entries), "temporalGranularity": "hourly"}


def uk_entry(minutes: int, actual: int | None, forecast: int | None = 180) -> dict[str, Any]:
    def at(m: int) -> str:
        return f"2026-01-01T{m // 60:02d}:{m % 60:02d}Z"

    return {
        "from": at(minutes),
        "to": at(minutes + 30),
        "intensity": {"forecast": forecast, "actual": actual, "index": "moderate"},
    }


def ask(name: str, place: live.Place = STOCKHOLM, basis: Any = "as given", client: Client | None = None) -> live.Answer:
    return live.ask(live.provider(name, basis), place, SPAN, client or Client(pause=0.0))


def warning(answer: live.Answer) -> str:
    assert answer.series is None
    (text,) = answer.warnings
    assert TOKEN not in text
    return text


def test_electricity_maps_is_asked_for_the_cloud_region_and_the_hours_of_the_run(web: responses.RequestsMock) -> None:
    answer = maps_answer(maps_entry(0, 20), maps_entry(1, 22, isEstimated=True), maps_entry(2, 24))
    web.get(MAPS, json=answer)
    found = ask("electricitymaps")
    assert found.series is not None and not found.warnings
    np.testing.assert_array_equal(found.series.time_s, JANUARY + HOUR * np.arange(3))
    np.testing.assert_array_equal(found.series.g_per_kwh, [20, 22, 24])
    assert (found.series.basis, found.series.zone) == ("lifecycle", "SE")
    assert "33 % of the hours estimated" in found.series.citation.source
    request = web.calls[0].request
    assert request.headers["auth-token"] == TOKEN and TOKEN not in str(request.url)
    assert request.params == {
        "dataCenterProvider": "aws",
        "dataCenterRegion": "eu-north-1",
        "start": "2026-01-01T00:00Z",
        "end": "2026-01-01T03:00Z",
        "emissionFactorType": "lifecycle",
    }


def test_a_stated_zone_goes_before_the_region(web: responses.RequestsMock) -> None:
    web.get(MAPS, json=maps_answer(maps_entry(0, 20, zone="SE-SE3"), zone="SE-SE3"))
    assert ask("electricitymaps", live.Place(zone="SE-SE3", region=STOCKHOLM.region)).series is not None
    assert web.calls[0].request.params["zone"] == "SE-SE3"


def test_a_long_run_is_asked_for_in_parts(web: responses.RequestsMock) -> None:
    web.get(MAPS, json=maps_answer(maps_entry(0, 20)))
    span = (JANUARY, JANUARY + 24 * 86400.0)
    live.ask(live.provider("electricitymaps", "as given"), STOCKHOLM, span, Client(pause=0.0))
    starts = [call.request.params["start"] for call in web.calls]
    assert starts == ["2026-01-01T00:00Z", "2026-01-11T00:00Z", "2026-01-21T00:00Z"]


@pytest.mark.parametrize(
    ("status", "calls", "meaning"),
    [
        (401, 1, "token is not accepted"),
        (403, 1, "does not cover this zone"),
        (404, 1, "does not know this zone"),
        (429, 3, "limit of requests"),
        (500, 3, "the server failed"),
        (503, 3, "the server failed"),
        (302, 1, "not followed"),
    ],
)
def test_a_refusal_is_a_warning_and_only_what_may_pass_is_asked_again(
    web: responses.RequestsMock, status: int, calls: int, meaning: str
) -> None:
    web.get(MAPS, status=status, json={"error": "no"}, headers={"Location": "https://elsewhere.example"})
    text = warning(ask("electricitymaps"))
    assert meaning in text and f"HTTP {status}" in text and "the annual figure is used" in text
    assert len(web.calls) == calls


def test_a_passing_failure_is_no_failure(web: responses.RequestsMock) -> None:
    web.get(MAPS, status=503)
    web.get(MAPS, status=429, headers={"Retry-After": "0"})
    web.get(MAPS, json=maps_answer(maps_entry(0, 20)))
    assert ask("electricitymaps").series is not None


@pytest.mark.parametrize("failure", [requests.ConnectionError("offline"), requests.ReadTimeout("slow")])
def test_without_a_network_the_annual_figure_serves(web: responses.RequestsMock, failure: Exception) -> None:
    web.get(MAPS, body=failure)
    assert "the annual figure is used" in warning(ask("electricitymaps"))


def test_without_a_token_nobody_is_asked(web: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ELECTRICITYMAPS_TOKEN")
    assert "set the environment variable ELECTRICITYMAPS_TOKEN" in warning(ask("electricitymaps"))
    assert not web.calls


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (maps_answer(maps_entry(0, 20), zone="NO-NO1"), "for zone NO-NO1"),
        ({"error": 'No recent data for zone "SE"'}, "No recent data"),
        (maps_answer(), "no value for this time"),
        (maps_answer(maps_entry(0, None)), "no value for this time"),
        (maps_answer(maps_entry(0, 5, emissionFactorType="direct")), "is direct, asked was lifecycle"),
        (maps_answer(maps_entry(0, -5)), "not a time in UTC"),
        (maps_answer(maps_entry(0, 5, datetime="soon")), "no time"),
        ({"zone": "SE", "data": {"a": 1}}, "holds no data"),
        (["SE"], "names no zone"),
    ],
)
def test_an_answer_of_another_place_kind_or_shape_is_not_used(
    web: responses.RequestsMock, answer: Any, meaning: str
) -> None:
    web.get(MAPS, json=answer)
    assert meaning in warning(ask("electricitymaps"))


def test_cut_json_is_not_used_and_not_kept(web: responses.RequestsMock, tmp_path: Path) -> None:
    whole = json.dumps(maps_answer(maps_entry(0, 20)))
    web.get(MAPS, body=whole[:-20])
    client = Client(Cache(tmp_path), pause=0.0)
    assert "not whole JSON" in warning(ask("electricitymaps", client=client))
    web.replace(responses.GET, MAPS, body=whole)
    assert ask("electricitymaps", client=client).series is not None


def test_the_british_grid_needs_no_token_and_takes_forecasts_where_nothing_was_observed(
    web: responses.RequestsMock,
) -> None:
    entries = [uk_entry(0, 170), uk_entry(30, 172), uk_entry(60, None, 190), uk_entry(90, None, None)]
    web.get(UK, json={"data": entries})
    found = ask("ukcarbonintensity", BRITAIN)
    assert found.series is not None
    np.testing.assert_array_equal(found.series.g_per_kwh, [170, 172, 190])
    np.testing.assert_array_equal(found.series.time_s, JANUARY + 1800.0 * np.arange(3))
    assert (found.series.basis, found.series.zone) == ("direct", "GB")
    assert "33 % of the half hours forecast" in found.series.citation.source
    url = str(web.calls[0].request.url)
    assert url.endswith("/intensity/2026-01-01T00:00Z/2026-01-01T02:30Z")
    assert "auth-token" not in web.calls[0].request.headers


def test_only_great_britain_is_british(web: responses.RequestsMock) -> None:
    assert "Great Britain only, the run was in SE" in warning(ask("ukcarbonintensity"))
    assert not web.calls


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        ({"error": {"code": "400 Bad Request", "message": "Please enter a valid date"}}, "Please enter a valid date"),
        ({"data": []}, "no value for this time"),
        ({"data": [{"from": "soon", "intensity": {"actual": 5}}]}, "no time"),
        ({"data": [{"from": "2026-01-01T00:00Z", "intensity": {"actual": "5"}}]}, "not a time in UTC"),
    ],
)
def test_a_british_answer_of_another_shape_is_not_used(web: responses.RequestsMock, answer: Any, meaning: str) -> None:
    web.get(UK, json=answer)
    assert meaning in warning(ask("ukcarbonintensity", BRITAIN))


OWN = "https://grid.example/v1/{zone}?from={start}&to={end_s}"


@pytest.mark.parametrize(
    "body",
    [
        "# basis: direct\ntimestamp,g_per_kwh\n2026-01-01T00:00Z,20\n2026-01-01T01:00Z,30\n",
        json.dumps([{"time": JANUARY, "intensity": 20, "basis": "direct"}, {"time": JANUARY + HOUR, "intensity": 30}]),
        json.dumps({"basis": "direct", "history": [maps_entry(h, g) for h, g in ((0, 20), (1, 30))]}).replace(
            '"lifecycle"', '"direct"'
        ),
    ],
    ids=["csv", "list", "object"],
)
def test_any_server_with_a_series_serves(web: responses.RequestsMock, body: str) -> None:
    web.get(re.compile(r"https://grid\.example/.*"), body=body)
    found = ask(OWN)
    assert found.series is not None
    assert (found.series.basis, found.series.zone) == ("direct", "SE-SE3")
    np.testing.assert_array_equal(found.series.g_per_kwh, [20, 30])
    assert str(web.calls[0].request.url) == "https://grid.example/v1/SE-SE3?from=2026-01-01T00%3A00Z&to=1767236400"


@pytest.mark.parametrize(
    ("body", "basis", "meaning"),
    [
        ('[{"time": 1767225600, "intensity": 20}]', "as given", "does not say its basis"),
        ('[{"time": 1767225600, "intensity": 20, "basis": "direct"}]', "lifecycle", "mixes direct, lifecycle"),
        ('[{"time": 1767225600, "value": 900}]', "marginal", "intensity in g/kWh"),
        ('{"zone": "DE", "data": [{"time": 1767225600, "intensity": 20}]}', "direct", "for zone DE"),
        ('{"data": []}', "direct", "no list of entries"),
        ('[{"time": 1767225600,', "direct", "not whole JSON"),
        ("<html>sign in</html>", "direct", "no time column"),
    ],
)
def test_an_answer_that_does_not_say_what_it_is_is_not_used(
    web: responses.RequestsMock, body: str, basis: str, meaning: str
) -> None:
    web.get(re.compile(r"https://grid\.example/.*"), body=body)
    assert meaning in warning(ask(OWN, basis=basis))


@pytest.mark.parametrize(
    ("name", "basis", "message"),
    [
        ("electricitymap", "as given", "unknown grid provider"),
        ("electricitymaps", "marginal", "lifecycle or direct"),
        ("ukcarbonintensity", "lifecycle", "direct intensities, not lifecycle"),
        ("http://grid.example/", "direct", "https://"),
        ("file:///etc/passwd", "direct", "https://"),
        ("https://grid.example/{place}", "direct", "cannot be filled in"),
        ("https://grid.example/{start.__class__}", "direct", "cannot be filled in"),
    ],
)
def test_what_the_user_wrote_wrongly_is_an_error(name: str, basis: Any, message: str) -> None:
    with pytest.raises(EcoauditError, match=re.escape(message)):
        live.provider(name, basis)


def test_an_answer_is_asked_for_once(web: responses.RequestsMock, tmp_path: Path) -> None:
    web.get(MAPS, json=maps_answer(maps_entry(0, 20)))
    client = Client(Cache(tmp_path), pause=0.0)
    first, second = ask("electricitymaps", client=client), ask("electricitymaps", client=client)
    assert first.series and second.series and second.series.g_per_kwh[0] == 20
    assert len(web.calls) == 1
    assert TOKEN not in "".join(path.read_text() for path in tmp_path.iterdir())


def test_lifecycle_is_never_answered_with_a_kept_direct_figure(web: responses.RequestsMock, tmp_path: Path) -> None:
    web.get(MAPS, json=maps_answer(maps_entry(0, 5, emissionFactorType="direct")))
    client = Client(Cache(tmp_path), pause=0.0)
    direct = ask("electricitymaps", basis="direct", client=client)
    assert direct.series and direct.series.basis == "direct"
    assert "asked was lifecycle" in warning(ask("electricitymaps", client=client))
    assert len(web.calls) == 2


def test_the_cache_is_bounded_and_a_broken_one_is_no_error(tmp_path: Path) -> None:
    cache = Cache(tmp_path, max_entries=3, max_bytes=10_000)
    for i in range(6):
        cache.put(str(i), "x" * 1000, keep_s=None)
    assert len(list(tmp_path.iterdir())) == 3
    cache.put("large", "x" * 20_000, keep_s=None)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 10_000
    cache.put("old", "x", keep_s=-1.0)
    assert cache.get("old") is None
    cache.put("cut", "whole", keep_s=None)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-3])
    assert cache.get("cut") is None
    (tmp_path / "file").write_text("")
    Cache(tmp_path / "file").put("a", "b", keep_s=None)  # a folder that cannot be made


def test_the_cache_lies_where_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "ecoaudit" / "grid"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_folder() == Path.home() / ".cache" / "ecoaudit" / "grid"


@pytest.mark.parametrize("span", [None, (JANUARY, JANUARY + 200 * 86400.0)])
def test_a_run_without_a_clock_or_of_many_months_is_not_asked_for(
    web: responses.RequestsMock, span: tuple[float, float] | None
) -> None:
    found = live.ask(live.provider("electricitymaps", "as given"), STOCKHOLM, span, Client(pause=0.0))
    assert "was not asked" in warning(found)
    assert not web.calls
