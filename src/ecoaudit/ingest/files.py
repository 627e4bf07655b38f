"""A log file as bytes and as text: compression and encoding are found in the content, cut streams are reported."""

import bz2
import codecs
import importlib
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import zstandard

from ecoaudit.errors import EcoauditError

HEAD_BYTES = 64 * 1024
_READ_BYTES = 320 * 1024
_PACKED_READ_BYTES = 32 * 1024
"""Of a compressed file less is read at once, so that what it becomes stays in the processor's cache."""
_PACKED = 8
"""How much smaller telemetry is when it is compressed (3 to 10 times, by how noisy its last digits are)."""

_DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


@dataclass(frozen=True, slots=True)
class Head:
    """The first bytes of a file after decompression, as bytes and as text, and its name (a tie-break only).

    `damaged` is true where the compressed stream broke off within them.
    """

    raw: bytes
    text: str
    name: str
    complete: bool
    damaged: bool = False


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


_MAGIC: tuple[tuple[bytes, Callable[[], _Decompressor]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
    (b"\x28\xb5\x2f\xfd", lambda: cast(_Decompressor, zstandard.ZstdDecompressor().decompressobj())),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", lzma.LZMADecompressor),
)


@dataclass
class LogFile:
    """One input file or URL; `path` is how the user knows it. Problems of the container go to `warnings`."""

    path: str
    warnings: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return Path(self.path).name

    @property
    def is_url(self) -> bool:
        return "://" in self.path

    def plain_bytes(self) -> int:
        """Return about how many bytes the file holds after decompression, 0 for a URL; only a guess to plan with."""
        if self.is_url:
            return 0
        try:
            with Path(self.path).open("rb") as raw:
                start = raw.read(8)
                size = os.fstat(raw.fileno()).st_size
        except OSError:
            return 0
        return size * (_PACKED if any(start.startswith(magic) for magic, _ in _MAGIC) else 1)

    def blocks(self) -> Iterator[bytes]:
        """Yield the content, decompressed; a compressed stream that was cut ends early with a warning.

        Raises `EcoauditError` when the file cannot be opened or read.
        """
        try:
            with _open_url(self.path) if self.is_url else Path(self.path).open("rb") as raw:
                start = raw.read(_PACKED_READ_BYTES)
                factory = next((make for magic, make in _MAGIC if start.startswith(magic)), None)
                if factory is None:
                    while start:
                        yield start
                        start = raw.read(_READ_BYTES)
                else:
                    yield from self._decompressed(raw, start, factory)
        except OSError as error:
            raise EcoauditError(f"cannot read the file: {error.strerror or error}", where=self.path) from error

    def _decompressed(self, raw: BinaryIO, data: bytes, factory: Callable[[], _Decompressor]) -> Iterator[bytes]:
        """Decompress member after member (gzip and zstd files may hold several)."""
        current = factory()
        while data:
            try:
                out = current.decompress(data)
                rest = current.unused_data if current.eof else b""
            except _DAMAGED as error:
                self._warn(f"the compressed stream is damaged ({error}); read up to there")
                return
            if out:
                yield out
            if current.eof:
                data = rest or raw.read(_PACKED_READ_BYTES)
                if data.strip(b"\0"):
                    current = factory()
                else:
                    return
            else:
                data = raw.read(_PACKED_READ_BYTES)
        self._warn("the compressed stream is cut; read up to there")

    def _warn(self, problem: str) -> None:
        text = f"{self.name}: {problem}"
        if text not in self.warnings:
            self.warnings.append(text)

    @cached_property
    def head(self) -> Head:
        """The first 64 KiB."""
        return self.sample(HEAD_BYTES)

    def sample(self, size: int) -> Head:
        """Return the first `size` bytes and the text they hold."""
        raw = b""
        complete = True
        for block in self.blocks():
            raw += block
            if len(raw) > size:
                raw, complete = raw[:size], False
                break
        text = codecs.getincrementaldecoder(_encoding(raw))("replace").decode(raw)
        return Head(
            raw=raw,
            text=text.removeprefix("\ufeff"),
            name=self.name,
            complete=complete,
            damaged=complete and bool(self.warnings),
        )

    def utf8_blocks(self) -> Iterator[bytes]:
        """Yield the content as UTF-8 in blocks, whatever its encoding; no byte-order mark."""
        encoding = _encoding(self.head.raw)
        if encoding == "utf-8":
            yield from self.blocks()
            return
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        for block in self.blocks():
            yield decoder.decode(block).encode("utf-8", "replace")
        yield decoder.decode(b"", True).encode("utf-8", "replace")

    def line_blocks(self) -> Iterator[bytes]:
        """Yield UTF-8 blocks that end at the end of a line; the last may lack its line end."""
        rest = b""
        for block in self.utf8_blocks():
            cut = block.rfind(b"\n") + 1
            if cut:
                yield rest + block[:cut]
                rest = block[cut:]
            else:
                rest += block
        if rest:
            yield rest

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield `(number, text)` of each line, without its end; undecodable bytes become U+FFFD."""
        number = 0
        for block in self.line_blocks():
            for line in block.removesuffix(b"\n").split(b"\n"):
                number += 1
                yield number, line.decode("utf-8", "replace").rstrip("\r")

    def text(self) -> str:
        """Return the whole content as text; for formats that are one document (JSON, XML)."""
        return b"".join(self.utf8_blocks()).decode("utf-8", "replace")


def _encoding(raw: bytes) -> str:
    """Return the text encoding: by byte-order mark, else UTF-16 when every other byte is zero, else UTF-8."""
    if raw.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    start = raw[:4096]
    half = len(start) // 2
    if half > 8:
        even, odd = start[::2].count(0), start[1::2].count(0)
        if odd > 0.6 * half and even < 0.1 * half:
            return "utf-16-le"
        if even > 0.6 * half and odd < 0.1 * half:
            return "utf-16-be"
    return "utf-8"


def _open_url(url: str) -> BinaryIO:
    """Open a URL through fsspec, which is an optional extra."""
    try:
        fsspec = importlib.import_module("fsspec")
    except ImportError as error:
        raise EcoauditError(
            "reading a URL needs fsspec", where=url, fix="install it with: pip install 'ecoaudit[remote]'"
        ) from error
    try:
        return cast(BinaryIO, fsspec.open(url, "rb").open())
    except ImportError as error:
        fix = "install what it names beside ecoaudit[remote], or download the file"
        raise EcoauditError(f"cannot open the URL: {error}", where=url, fix=fix) from error
    except ValueError as error:
        raise EcoauditError(f"cannot open the URL: {error}", where=url, fix="download the file") from error
