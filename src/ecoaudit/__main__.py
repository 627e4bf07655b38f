"""The `ecoaudit` command's entry: answers `--version` and starts the recorder before anything heavy is imported."""

import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments == ["--version"]:
        from ecoaudit import __version__

        print(f"ecoaudit {__version__}")
        return 0
    if arguments[:1] == ["record"]:
        # The recorder runs beside the training job for weeks: standard library and NVML only.
        from ecoaudit.record.cli import main as record

        return record(arguments[1:])
    from ecoaudit.cli import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
