"""The `ecoaudit` command's entry: answers `--version` and starts the recorder before anything heavy is imported."""

import contextlib
import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments == ["--version"]:
        from ecoaudit import __version__

        with contextlib.suppress(OSError):
            print(f"ecoaudit {__version__}", flush=True)
            return 0  # else the command line below says what is wrong with the output
    if arguments[:1] == ["record"]:
        # The recorder runs beside the training job for weeks: standard library and NVML only.
        try:
            from ecoaudit.record.cli import main as record
        except ImportError as error:
            if error.name != "ecoaudit.record":
                raise
            print(f"ecoaudit: {error}", file=sys.stderr)
            return 2
        return record(arguments[1:])
    from ecoaudit.cli import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
