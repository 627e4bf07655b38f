"""Untrusted text into GitHub-flavoured Markdown, and GitHub's own rewriting (mentions, references, links) kept off it.

Host names, project names, branch names, log lines and findings come from files that a stranger may have written.
A backslash or an entity stops Markdown syntax, but GitHub looks for `@user`, `#1` and `GH-1` in the rendered text where
both are already gone: these are broken up by a word joiner, which has no width.
"""

import re
import unicodedata

WORD_JOINER = "\N{WORD JOINER}"

_SYNTAX = re.compile(r"[\\`*_{}\[\]()|~$!^]")
_LINE_START = re.compile(r"^(?:[-+=:]|\d+[.)])")
_SHORTHAND = re.compile(r"(?i)\b(gh)(?=-\d)")
_WWW = re.compile(r"(?i)\b(www)(?=\.)")
_SCHEME = re.compile(r"([A-Za-z]:)(?=//)")
_RUN_OF_BACKTICKS = re.compile(r"`+")


def clean(text: str, *, limit: int | None = None) -> str:
    """Return `text` as one line: white space collapsed, control and invisible format characters gone, cut to `limit`.

    Bidirectional overrides and zero-width characters are format characters: they make a line read as what it is not.
    """
    kept = []
    for char in text:
        category = unicodedata.category(char)
        if char.isspace() or category in {"Zl", "Zp"}:
            kept.append(" ")
        elif category not in {"Cc", "Cf", "Cs", "Co", "Cn"}:
            kept.append(char)
    line = " ".join("".join(kept).split())
    if limit is not None and len(line) > limit:
        line = line[: max(limit - 1, 0)].rstrip() + "…"
    return line


def escape(text: str, *, limit: int | None = None) -> str:
    """Return `text` for a paragraph, a list item or a table cell, where it shows as written and does nothing."""
    line = clean(text, limit=limit)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _SYNTAX.sub(r"\\\g<0>", line)
    line = _LINE_START.sub(lambda match: f"{match[0][:-1]}\\{match[0][-1]}", line)
    line = _SCHEME.sub(rf"\1{WORD_JOINER}", line)
    line = _WWW.sub(rf"\1{WORD_JOINER}", line)
    line = _SHORTHAND.sub(rf"\1{WORD_JOINER}", line)
    return line.replace("@", f"@{WORD_JOINER}").replace("#", f"\\#{WORD_JOINER}")


def code(text: str, *, limit: int | None = None) -> str:
    """Return `text` as inline code, safe in a table cell too; empty text gives an empty string.

    A pipe in a code span needs a backslash inside a table and must not have one outside, so text with a pipe becomes a
    `<code>` element of character references, which reads the same in both places.
    """
    line = clean(text, limit=limit)
    if not line:
        return ""
    if "|" in line:
        return "<code>" + "".join(c if c.isalnum() or c == " " else f"&#{ord(c)};" for c in line) + "</code>"
    longest = max((len(run) for run in _RUN_OF_BACKTICKS.findall(line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"
