"""The digest: an audit that fits into a check run's text and comes back fit to be a baseline."""

import base64
import zlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits import l3_audit, quantity
from ecoaudit.judge import judge
from ecoaudit.judge.verdict import Outcome
from ecoaudit.model.audit import Audit, Finding, StepEnergy, TimelinePoint
from ecoaudit.publish import digest
from ecoaudit.publish.digest import Digest
from ecoaudit.quantity import Boundary


def digest_of(audit: Audit, history: list[Audit] | None = None) -> Digest:
    return Digest(
        audit=audit,
        outcome=Outcome.PASS,
        commit="a" * 40,
        run_id=5,
        created_at="2026-11-24T00:00:00+00:00",
        history=history or [],
    )


def packed(data: bytes) -> str:
    return f"<!-- ecoaudit:digest/1\n{base64.encodebytes(zlib.compress(data)).decode().strip()}\n-->"


def test_a_digest_compares_like_the_audit_it_came_from() -> None:
    base, head = l3_audit(), l3_audit(facility_kwh=9.0)
    text = digest.encode(digest_of(base))
    assert text
    carried = digest.decode(text)
    assert carried
    assert judge(head, base=carried.audit).deltas == judge(head, base=base).deltas


def test_a_digest_of_an_older_version_is_read_and_compared() -> None:
    """It lacks the training window's levels: all else is compared as before."""
    plain = msgspec.json.decode(msgspec.json.encode(digest_of(l3_audit())))
    del plain["audit"]["energy"]["training_levels"]
    carried = digest.decode(packed(msgspec.json.encode(plain)))
    assert carried
    assert carried.audit.energy.training_levels is None
    assert (
        judge(l3_audit(facility_kwh=9.0), base=carried.audit).deltas
        == judge(l3_audit(facility_kwh=9.0), base=l3_audit()).deltas
    )


def test_what_a_comparison_does_not_need_is_left_out() -> None:
    kwh = quantity(1.0, "kWh")
    stretch = StepEnergy(first_step=1, last_step=9, t_s=0.0, duration_s=1.0, energy=kwh, boundary=Boundary.NODE)
    plain = l3_audit()
    audit = msgspec.structs.replace(
        plain,
        energy=msgspec.structs.replace(plain.energy, steps=[stretch] * 40),
        timeline=[TimelinePoint(t_s=float(n), gpu_w=1.0) for n in range(1000)],
        findings=[Finding(id="x", title="x" * 999, severity="info", evidence="x", advice="x")] * 50,
    )
    assert digest.strip(audit) == digest.strip(l3_audit())
    text = digest.encode(digest_of(audit))
    assert text
    assert len(text) < 6_000


def test_the_history_keeps_its_newest_and_its_bound() -> None:
    history = [l3_audit(facility_kwh=float(n)) for n in range(1, 60)]
    text = digest.encode(digest_of(l3_audit(), history))
    assert text
    assert len(text) <= digest.MAX_TEXT_CHARS
    carried = digest.decode(text)
    assert carried
    kept = [a.energy.headline.value.value for a in carried.history if a.energy.headline]
    assert kept == [float(n) for n in range(40, 60)]


def test_an_audit_that_is_too_large_has_no_digest() -> None:
    import random

    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=200_000))
    assert digest.encode(digest_of(msgspec.structs.replace(l3_audit(), tool=noise))) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no digest here",
        "<!-- ecoaudit:digest/1\nnot base64!\n-->",
        "<!-- ecoaudit:digest/1\nAAAA\n-->",
        packed(b"not json"),
        packed(b"{}"),
        packed(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    ],
    ids=["empty", "none", "not base64", "not zlib", "not json", "no keys", "deep"],
)
def test_a_damaged_digest_is_none(text: str) -> None:
    assert digest.decode(text) is None


def test_a_digest_that_inflates_without_end_is_refused() -> None:
    bomb = msgspec.json.encode(digest_of(l3_audit())) + b" " * 20_000_000
    assert digest.decode(packed(bomb)) is None


def test_another_schema_is_not_read() -> None:
    later = msgspec.structs.replace(digest_of(l3_audit()), schema="ecoaudit.digest/2")
    assert digest.decode(packed(msgspec.json.encode(later))) is None


@settings(max_examples=40)
@given(st.text(max_size=200), st.integers(0, 30))
def test_any_digest_fits_and_survives_what_stands_around_it(project: str, runs: int) -> None:
    audit = l3_audit(project=project)
    text = digest.encode(digest_of(audit, [audit] * runs))
    assert text
    assert len(text) <= digest.MAX_TEXT_CHARS
    carried = digest.decode(f"before\n{text}\nafter")
    assert carried
    assert carried.audit.project == project
