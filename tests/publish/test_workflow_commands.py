"""The runner's protocol: what is escaped, what is fenced off, what is masked."""

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.publish import workflow_commands as commands

TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=50) | st.text(alphabet="ab<\n\r=%:", max_size=20)


@given(TEXT, TEXT)
def test_a_command_is_one_line_whatever_it_says(message: str, title: str) -> None:
    line = commands.annotation("error", message, title=title)
    assert "\n" not in line
    assert "\r" not in line
    assert line.startswith("::error")


def test_properties_escape_what_ends_them() -> None:
    assert commands.annotation("warning", "50 %\nx", title="a:b,c") == "::warning title=a%3Ab%2Cc::50 %25%0Ax"


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(["a", "b-c", "d"]), TEXT, min_size=1))
def test_outputs_come_back_as_they_were(values: dict[str, str]) -> None:
    text = commands.format_outputs(values)
    read = {}
    lines = text.split("\n")
    while lines and lines[0]:
        name, word = lines.pop(0).split("<<")
        end = lines.index(word)
        read[name] = "\n".join(lines[:end])
        del lines[: end + 1]
    assert read == values


def test_a_value_cannot_end_its_own_block() -> None:
    words = iter(["guess", "guess", "other"])
    text = commands.format_outputs({"x": "a\nguess\nevil<<b"}, token=lambda: next(words))
    assert text == "x<<other\na\nguess\nevil<<b\nother\n"


def test_untrusted_text_is_between_stop_and_its_token_even_when_printing_fails() -> None:
    stream = io.StringIO()
    with pytest.raises(OSError, match="disk"), commands.untrusted(stream, token=lambda: "word"):
        print("::error::forged", file=stream)
        raise OSError("disk")
    assert stream.getvalue() == "::stop-commands::word\n::error::forged\n::word::\n"


def test_stop_tokens_cannot_be_guessed() -> None:
    assert len({commands.random_token() for _ in range(10)}) == 10


def test_every_line_of_a_secret_is_masked() -> None:
    assert commands.mask("one\n\ntwo") == ["::add-mask::one", "::add-mask::two"]
    assert commands.mask("") == []


def test_the_summary_counts_what_is_already_there(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    path.write_text("x" * 999_990)
    assert commands.append_summary(path, "short")
    assert not commands.append_summary(path, "too long")
    assert path.stat().st_size == 999_996
