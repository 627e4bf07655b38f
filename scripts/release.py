"""What the release workflow asks of the checkout.

    python3 scripts/release.py check X.Y.Z              is this the version in the code, and is its tag still free?
    python3 scripts/release.py pin NAME@sha256:DIGEST   point action.yml at the published image

Standard library only: the workflow runs it before anything is installed.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSION = re.compile(r"\d+\.\d+\.\d+")
IMAGE = re.compile(r"[a-z0-9.-]+(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}")
BUILT_HERE = re.compile(r"^(  image:) Dockerfile$", re.MULTILINE)


def problems(version: str, code: str, tags: set[str]) -> list[str]:
    """Return what forbids releasing `version` when `code` is the text of `__init__.py` and `tags` are taken."""
    found = []
    if not VERSION.fullmatch(version):
        found.append(f"{version!r} is not of the form X.Y.Z")
    if f'__version__ = "{version}"' not in code:
        found.append(f"src/ecoaudit/__init__.py does not say __version__ = {version!r}")
    if f"v{version}" in tags:
        found.append(f"v{version} is released already; a release is never replaced")
    return found


def pinned(action: str, image: str) -> str:
    """Return the text of action.yml with its `image: Dockerfile` replaced by `image`, a name with a digest."""
    if not IMAGE.fullmatch(image):
        raise ValueError(f"{image!r} is not a name with a sha256 digest")
    text, count = BUILT_HERE.subn(rf"\1 docker://{image}", action)
    if count != 1:
        raise ValueError(f"action.yml has {count} lines `  image: Dockerfile`; exactly one is expected")
    return text


def main(arguments: list[str]) -> int:
    """Run one of the two commands; return 0, or 1 with the reason on stderr, or 2 for wrong usage."""
    match arguments:
        case ["check", version]:
            listed = subprocess.run(["git", "tag", "--list"], cwd=ROOT, check=True, capture_output=True, text=True)
            code = (ROOT / "src/ecoaudit/__init__.py").read_text(encoding="utf-8")
            found = problems(version, code, set(listed.stdout.split()))
            for problem in found:
                print(problem, file=sys.stderr)
            return 1 if found else 0
        case ["pin", image]:
            path = ROOT / "action.yml"
            try:
                path.write_text(pinned(path.read_text(encoding="utf-8"), image), encoding="utf-8")
            except ValueError as error:
                print(error, file=sys.stderr)
                return 1
            return 0
        case _:
            print(__doc__, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
