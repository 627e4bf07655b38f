"""Compress a closed segment, in a process of its own at the lowest priority: `python -m ecoaudit.record.compress`.

The compressed file appears under its name only when it is whole, and only then the plain one goes.
"""

import os
import sys
from pathlib import Path

METHODS = {"gzip": ".gz", "zstd": ".zst"}
_CHUNK = 1 << 20


def start_compressor(method: str, path: Path) -> int:
    """Start compressing a file that nobody writes to any more; return the process id, which must be waited for."""
    package_root = str(Path(__file__).resolve().parents[2])
    search_path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
    argv = [sys.executable, "-m", "ecoaudit.record.compress", method, str(path)]
    return os.posix_spawn(sys.executable, argv, {**os.environ, "PYTHONPATH": search_path}, setpgroup=0)


def compress(method: str, path: Path) -> Path:
    """Compress with `gzip` or `zstd` (gzip where zstd is not at hand), remove the plain file, return the new one."""
    import shutil  # here only: the recorder itself never packs

    if method == "zstd" and sys.version_info < (3, 14) and shutil.which("zstd") is None:
        method = "gzip"
    target = path.with_name(path.name + METHODS[method])
    number = 1
    while target.exists():  # the run was started anew on the same day
        number += 1
        target = path.with_name(f"{path.stem}-{number}{path.suffix}{METHODS[method]}")
    part = target.with_name(target.name + ".part")
    try:
        _write(method, path, part)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    path.unlink()
    return target


def _write(method: str, path: Path, part: Path) -> None:
    import shutil

    if method == "gzip":
        import gzip

        with path.open("rb") as plain, gzip.open(part, "wb", compresslevel=6) as packed:
            shutil.copyfileobj(plain, packed, _CHUNK)
    elif sys.version_info >= (3, 14):
        from compression import zstd

        with path.open("rb") as plain, zstd.open(part, "wb") as packed:
            shutil.copyfileobj(plain, packed, _CHUNK)
    else:
        import subprocess

        subprocess.run(["zstd", "-q", "-f", "-3", str(path), "-o", str(part)], check=True)
    descriptor = os.open(part, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


if __name__ == "__main__":
    os.nice(19)
    compress(sys.argv[1], Path(sys.argv[2]))
