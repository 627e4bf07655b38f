"""Where the files that ship beside the code are, in an installed wheel and in a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_BUNDLED = _PACKAGE / "_bundled"
_CHECKOUT = _PACKAGE.parents[1]


def templates_dir() -> Path:
    """Return the folder of the Jinja templates."""
    bundled = _BUNDLED / "templates"
    return bundled if bundled.is_dir() else _CHECKOUT / "templates"


def sample_logs_dir() -> Path:
    """Return the folder of the bundled sample runs, one folder a run."""
    bundled = _BUNDLED / "sample_logs"
    return bundled if bundled.is_dir() else _CHECKOUT / "fixtures" / "sample_logs"
