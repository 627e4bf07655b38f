"""The two things that the release workflow does to the checkout."""

import importlib.util
from types import ModuleType

import pytest

from .building import ROOT

DIGEST = "ghcr.io/ecocompute/audit@sha256:" + "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / "scripts" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_version_that_the_code_carries_and_no_tag_has_can_be_released(release: ModuleType) -> None:
    assert release.problems("1.2.3", '__version__ = "1.2.3"\n', {"v1", "v1.2.2"}) == []


@pytest.mark.parametrize(
    ("version", "code", "tags", "said"),
    [
        ("v1.2.3", '__version__ = "v1.2.3"', set(), "not of the form"),
        ("1.2", '__version__ = "1.2"', set(), "not of the form"),
        ("1.2.3\n", '__version__ = "1.2.3\n"', set(), "not of the form"),
        ("1.2.3", '__version__ = "1.2.2"', set(), "__init__.py does not say"),
        ("1.2.3", '__version__ = "1.2.3"', {"v1.2.3"}, "released already"),
    ],
)
def test_what_forbids_a_release(release: ModuleType, version: str, code: str, tags: set[str], said: str) -> None:
    assert any(said in problem for problem in release.problems(version, code, tags))


def test_action_yml_is_pointed_at_the_image_and_otherwise_unchanged(release: ModuleType) -> None:
    action = (ROOT / "action.yml").read_text(encoding="utf-8")
    pinned = release.pinned(action, DIGEST)
    before, after = action.splitlines(), pinned.splitlines()
    assert [(old, new) for old, new in zip(before, after, strict=True) if old != new] == [
        ("  image: Dockerfile", f"  image: docker://{DIGEST}")
    ]


@pytest.mark.parametrize(
    "image", ["ghcr.io/ecocompute/audit:1.2.3", "ghcr.io/ecocompute/audit@sha256:12", "", "Dockerfile"]
)
def test_an_image_without_a_digest_is_refused(release: ModuleType, image: str) -> None:
    with pytest.raises(ValueError, match="sha256"):
        release.pinned("runs:\n  using: docker\n  image: Dockerfile\n", image)


def test_an_action_that_is_pinned_already_is_refused(release: ModuleType) -> None:
    once = release.pinned("runs:\n  using: docker\n  image: Dockerfile\n", DIGEST)
    with pytest.raises(ValueError, match="0 lines"):
        release.pinned(once, DIGEST)
