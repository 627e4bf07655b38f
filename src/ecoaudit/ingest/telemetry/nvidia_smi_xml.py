"""`nvidia-smi -q -x`: one XML document a sample, appended with `-l` or by a loop."""

import math
import re
from xml.etree import ElementTree as ET

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import FormatInfo, GpuInfo, ReadOptions, Telemetry
from ecoaudit.ingest.telemetry.build import telemetry
from ecoaudit.ingest.telemetry.frame import Readings
from ecoaudit.ingest.telemetry.smi_columns import PowerField

FORMAT = FormatInfo(
    format="nvidia_smi_xml",
    kind="telemetry",
    title="nvidia-smi -q -x",
    reads="power, utilisation, enforced limit, names, UUIDs, MIG mode",
    seen="power_readings (to 530), gpu_power_readings (535), average_power_draw (570); several documents in a file",
    cannot_tell="the time zone, the energy counter",
)

_DOCUMENT = re.compile(r"<nvidia_smi_log>.*?</nvidia_smi_log>", re.DOTALL)
_POWER = ("power_draw", "average_power_draw", "instant_power_draw")
_MEANING: dict[str, PowerField] = {"average_power_draw": "average", "instant_power_draw": "instant"}
_LIMIT = ("enforced_power_limit", "current_power_limit", "power_limit")


def sniff(head: Head) -> str | None:
    """Recognise the root element."""
    return "XML with the root nvidia_smi_log" if "<nvidia_smi_log>" in head.text else None


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:
    """Return the samples."""
    account, readings = Account(), Readings()
    used: set[str] = set()
    text = file.text()
    account.lines = text.count("\n") + 1
    end = 0
    for match in _DOCUMENT.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        end = match.end()
        try:
            # Only the element itself is parsed: no document type, so no entities to expand.
            used |= _document(ET.fromstring(match[0]), readings)  # noqa: S314
        except (ET.ParseError, ValueError) as error:
            account.bad(line, match[0][:120], f"damaged document: {error}")
            continue
        account.records += 1
    if "<nvidia_smi_log>" in text[end:]:
        account.bad(text.count("\n", 0, end) + 1, text[end : end + 120].strip(), "the last document is cut")
    field = _MEANING.get(next(iter(used)), "unspecified") if len(used) == 1 else "unspecified"
    return [
        telemetry(file, FORMAT.format, account, readings, options, clock="naive", same_tick_s=0.0, power_field=field)
    ]


def _document(root: ET.Element, readings: Readings) -> set[str]:
    """Take in one report; return which power readings it has."""
    used: set[str] = set()
    time_s, _ = values.parse_time(root.findtext("timestamp") or "")
    for position, gpu in enumerate(root.findall("gpu")):
        section = next((s for s in (gpu.find("gpu_power_readings"), gpu.find("power_readings")) if s is not None), None)
        uuid = gpu.findtext("uuid")
        key = uuid or gpu.get("id") or position
        limit, _ = _first(section, _LIMIT)
        power, name = _first(section, _POWER)
        used |= {name} if name else set()
        memory = values.number(gpu.findtext("fb_memory_usage/total") or "")
        readings.info.setdefault(
            key,
            GpuInfo(
                index=position,
                uuid=uuid,
                name=gpu.findtext("product_name"),
                power_limit_w=None if math.isnan(limit) else limit,
                memory_mib=None if math.isnan(memory) else memory,
                mig=(gpu.findtext("mig_mode/current_mig") or "") == "Enabled",
            ),
        )
        util = values.number(gpu.findtext("utilization/gpu_util") or "")
        readings.add(time_s, key, power, util)
    return used


def _first(section: ET.Element | None, names: tuple[str, ...]) -> tuple[float, str | None]:
    """Return the first of the named readings that is there, in W, and its name."""
    for name in names if section is not None else ():
        text = section.findtext(name) if section is not None else None
        if text and not values.is_missing(text):
            return values.power_w(text), name
    return math.nan, None
