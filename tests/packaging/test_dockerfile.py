"""What GitHub's runner needs of the Dockerfile, and what would break the builders that the project supports."""

import json
import re

import pytest
from packaging.specifiers import SpecifierSet

from .building import ROOT
from .test_requirements import PROJECT

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE)).splitlines()
    if line.strip()
]


@pytest.mark.parametrize("forbidden", ["USER", "WORKDIR", "CMD", "VOLUME"])
def test_the_runner_decides_user_folder_and_arguments(forbidden: str) -> None:
    assert forbidden not in {name for name, _ in INSTRUCTIONS}


def test_the_entry_point_is_in_exec_form_and_absolute() -> None:
    (entry,) = [value for name, value in INSTRUCTIONS if name == "ENTRYPOINT"]
    command = json.loads(entry)
    assert command[0].startswith("/")
    assert command[-1] == "action"


def test_every_stage_starts_from_the_base_that_a_build_may_name() -> None:
    assert [value.split()[0] for name, value in INSTRUCTIONS if name == "FROM"] == ["${BASE_IMAGE}"] * 2
    (base,) = [value for name, value in INSTRUCTIONS if name == "ARG"]
    version = re.fullmatch(r"BASE_IMAGE=python:(\d+\.\d+)-slim-bookworm(@sha256:[0-9a-f]{64})?", base)
    assert version is not None
    assert version[1] in SpecifierSet(PROJECT["project"]["requires-python"])


@pytest.mark.parametrize("form", ["# syntax=", "<<", "--link", "--mount", "--chmod"])
def test_no_form_that_an_older_builder_refuses(form: str) -> None:
    assert form not in TEXT
