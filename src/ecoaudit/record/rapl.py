"""Energy of CPU packages and DRAM from RAPL through the kernel's powercap files (Linux `power/powercap`)."""

import errno
import os
import re
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
FIX = "chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj /sys/class/powercap/intel-rapl:*:*/energy_uj (as root)"


class _Zone:
    def __init__(self, name: str, descriptor: int, range_uj: int | None) -> None:
        self.name = name
        self.descriptor = descriptor
        self.range_uj = range_uj
        self.last_uj: int | None = None
        self.wrapped_uj = 0

    def read_j(self) -> float | None:
        """Return the counter in joules with wraps added up; None when it cannot be read now."""
        try:
            raw = int(os.pread(self.descriptor, 32, 0))
        except (OSError, ValueError):
            return None
        if self.last_uj is not None and raw < self.last_uj and self.range_uj is not None:
            self.wrapped_uj += self.range_uj
        self.last_uj = raw
        return round((raw + self.wrapped_uj) / 1e6, 3)


class Rapl:
    """The readable package and DRAM zones of this machine; `reason` says why there are none (or not all).

    A zone is named after its package: `package-0` and `dram-0`. The sum over a platform zone (psys) contains the
    packages and is left out, as is the memory-mapped twin of a package (intel-rapl-mmio).
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        self._zones: list[_Zone] = []
        self.reason: str | None = None
        found = 0
        for folder in sorted(root.glob("intel-rapl:*")):
            name = _zone_name(folder, root)
            if name is None:
                continue
            found += 1
            try:
                descriptor = os.open(folder / "energy_uj", os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                denied = error.errno in (errno.EACCES, errno.EPERM)
                self.reason = f"{folder / 'energy_uj'}: {error.strerror}" + (f"; to allow it: {FIX}" if denied else "")
                continue
            if any(zone.name == name for zone in self._zones):
                name = f"{name}@{folder.name}"
            self._zones.append(_Zone(name, descriptor, _number(folder / "max_energy_range_uj")))
        if not found:
            self.reason = f"no package zone below {root} (a virtual machine, or the kernel lacks intel_rapl)"

    def zones(self) -> list[str]:
        """Return the names of the readable zones."""
        return [zone.name for zone in self._zones]

    def ranges_j(self) -> dict[str, float]:
        """Return each zone's counter range in joules, where the kernel tells it."""
        return {zone.name: zone.range_uj / 1e6 for zone in self._zones if zone.range_uj is not None}

    def read(self) -> dict[str, float | None]:
        """Return each zone's counter in joules since it was first read or wrapped; empty without zones."""
        return {zone.name: zone.read_j() for zone in self._zones}

    def close(self) -> None:
        """Close the counters' files."""
        for zone in self._zones:
            os.close(zone.descriptor)
        self._zones.clear()


def _zone_name(folder: Path, root: Path) -> str | None:
    """Return `package-0` or `dram-0`, None for zones that are not recorded."""
    name = _text(folder / "name")
    if name is None:
        return None
    if name.startswith("package-"):
        return name
    match = re.fullmatch(r"(intel-rapl:\d+):\d+", folder.name)
    if name == "dram" and match:
        package = _text(root / match[1] / "name") or ""
        return "dram" + (package.removeprefix("package") if package.startswith("package-") else f"-{match[1]}")
    return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text is not None and text.isdigit() else None
