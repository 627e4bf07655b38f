"""NVML: open the chosen GPUs, read them cheaply every tick, and turn each failure into a state instead of an exception.

Field numbers, scopes and error codes are those of nvml.h (CUDA 13.1). Per tick and GPU two driver calls are made: one
batch of field values (energy counter, average and instant power) and the utilisation. What a device does not support
is found out once, when it is opened.
"""

import ctypes
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pynvml

from .devices import describe, quiet, text_of
from .selection import Chosen, Device, Selection, select

FIELD_ENERGY, FIELD_AVERAGE, FIELD_INSTANT = 83, 185, 186
SCOPES = {"gpu": 0, "module": 1}

# Not a fault but a property of the device, the driver's age or our rights: asked once, then null.
UNSUPPORTED = frozenset({2, 3, 4, 6, 7, 13, 25, 26})
GPU_LOST = frozenset({15, 16})
DRIVER_GONE = frozenset({1, 9, 12, 18})

RETRY_DRIVER_S = 10.0
RETRY_GPU_S = 30.0
REPORT_AGAIN_S = 60.0


class NvmlUnavailable(Exception):
    """NVML cannot be used here; the message says why."""


class Incident(NamedTuple):
    """Something that happened to the driver or a GPU, to be written as an event."""

    name: str
    value: str | int | None
    attributes: Mapping[str, str | int | None] = MappingProxyType({})


class Gpu:
    """An open GPU: which measures it has, and its prebuilt buffers for the field-value call."""

    def __init__(self, chosen: Chosen, handle: Any) -> None:
        self.chosen = chosen
        self.handle = handle
        self.power_limit_w: float | None = None
        self.memory_mib: int | None = None
        self.power_source = "none"
        self.power_scope: str | None = None
        self.energy_source = "none"
        self.fields: dict[str, int] = {}  # position of each measure in `values`
        self.values: Any = None
        self.count: Any = None
        self.has_util = True
        self.unsupported: set[str] = set()
        self.lost_until_s: float | None = None
        self.reported: dict[str, float] = {}


class Reading(NamedTuple):
    """One tick over the GPUs, shape (gpus,) each; None where a GPU has no such measure or the call failed."""

    average_mw: list[int | None]
    instant_mw: list[int | None]
    energy_mj: list[int | None]
    util: list[int | None]


class Nvml:
    """The chosen GPUs of this node. Reading never raises; see `incidents`."""

    def __init__(self) -> None:
        self.gpus: list[Gpu] = []
        self.selection: Selection | None = None
        self.driver: str | None = None
        self.node_gpu_count = 0
        self.errors = 0
        self.incidents: list[Incident] = []
        self._lib: Any = None
        self._down_until_s: float | None = None
        self._util = pynvml.c_nvmlUtilization_t()
        self._word = ctypes.c_uint()
        self._long = ctypes.c_ulonglong()

    def open(self, gpus: str | None, environ: Mapping[str, str]) -> Selection:
        """Load NVML and choose GPUs; raise `NvmlUnavailable` when there is no library or no driver."""
        devices = self._start()
        self.selection = select([device for device, _ in devices], gpus, environ)
        handles = {device.uuid: handle for device, handle in devices}
        self.gpus = [self._probe(Gpu(c, handles[c.device.uuid])) for c in self.selection.chosen]
        return self.selection

    def keep(self, uuids: set[str]) -> None:
        """Record only these of the chosen GPUs (others are recorded by another recorder)."""
        self.gpus = [gpu for gpu in self.gpus if gpu.chosen.device.uuid in uuids]

    def _start(self) -> list[tuple[Device, Any]]:
        try:
            pynvml.nvmlInit()
            self._lib = ctypes.CDLL("libnvidia-ml.so.1")
            self.driver = text_of(pynvml.nvmlSystemGetDriverVersion())
            count = pynvml.nvmlDeviceGetCount()
        except pynvml.NVMLError as error:
            raise NvmlUnavailable(f"NVML: {error}") from error
        except OSError as error:
            raise NvmlUnavailable(f"NVML library: {error}") from error
        self.node_gpu_count = count
        devices = []
        for index in range(count):
            try:
                handle = pynvml.nvmlDeviceGetHandleByIndex(index)
                devices.append((describe(index, handle), handle))
            except pynvml.NVMLError as error:
                self.errors += 1
                self.incidents.append(Incident("nvml_error", "handle", {"gpu": index, "error": str(error)}))
        return devices

    def _probe(self, gpu: Gpu) -> Gpu:
        """Find out once which measures this GPU has."""
        wanted = [("energy", FIELD_ENERGY, 0)]
        wanted += [(f"{kind}.{scope}", number, SCOPES[scope]) for scope in SCOPES for kind, number in _POWER_FIELDS]
        answers = self._try_fields(gpu, [(number, scope) for _, number, scope in wanted])
        works = {name for (name, _, _), code in zip(wanted, answers, strict=True) if code not in UNSUPPORTED}
        scope = next((s for s in SCOPES if f"average.{s}" in works or f"instant.{s}" in works), None)
        gpu.power_scope = scope
        batch = [w for w in wanted if w[0] in works and (w[0] == "energy" or w[0].endswith(f".{scope}"))]
        gpu.fields = {name.partition(".")[0]: position for position, (name, _, _) in enumerate(batch)}
        gpu.values = (pynvml.c_nvmlFieldValue_t * max(len(batch), 1))()
        for value, (_, number, scope_id) in zip(gpu.values, batch, strict=False):
            value.fieldId, value.scopeId = number, scope_id
        gpu.count = ctypes.c_int(len(batch))
        if "energy" in gpu.fields or self._has(gpu, "nvmlDeviceGetTotalEnergyConsumption", self._long):
            gpu.energy_source = "field" if "energy" in gpu.fields else "call"
        if "average" in gpu.fields:
            gpu.power_source = "average"
        elif self._has(gpu, "nvmlDeviceGetPowerUsage", self._word):
            gpu.power_source = "usage"
        gpu.has_util = self._has(gpu, "nvmlDeviceGetUtilizationRates", self._util)
        limit = quiet(pynvml.nvmlDeviceGetEnforcedPowerLimit, gpu.handle)
        memory = quiet(pynvml.nvmlDeviceGetMemoryInfo, gpu.handle)
        gpu.power_limit_w = None if limit is None else round(limit / 1000, 1)
        gpu.memory_mib = None if memory is None else int(memory.total) >> 20
        return gpu

    def _try_fields(self, gpu: Gpu, fields: list[tuple[int, int]]) -> list[int]:
        try:
            values = pynvml.nvmlDeviceGetFieldValues(gpu.handle, fields)
        except pynvml.NVMLError as error:
            return [error.value] * len(fields)
        return [int(value.nvmlReturn) for value in values]

    def _has(self, gpu: Gpu, function: str, out: Any) -> bool:
        return self._call(gpu, function, out) not in UNSUPPORTED

    def _call(self, gpu: Gpu, function: str, out: Any) -> int:
        try:
            code: int = getattr(self._lib, function)(gpu.handle, ctypes.byref(out))
        except AttributeError:
            return int(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        return code

    def read(self, now_s: float) -> Reading:
        """Read power, counter and utilisation of every GPU; failures become None and incidents."""
        reading = Reading([], [], [], [])
        for gpu in self.gpus:
            average = instant = energy = util = None
            if self._down_until_s is None and (gpu.lost_until_s is None or now_s >= gpu.lost_until_s):
                average, instant, energy = self._read_fields(gpu, now_s)
                if gpu.energy_source == "call":
                    code = self._call(gpu, "nvmlDeviceGetTotalEnergyConsumption", self._long)
                    energy = self._long.value if self._good(gpu, "energy", code, now_s) else None
                if gpu.power_source == "usage":
                    code = self._call(gpu, "nvmlDeviceGetPowerUsage", self._word)
                    average = self._word.value if self._good(gpu, "power", code, now_s) else None
                if gpu.has_util:
                    code = self._call(gpu, "nvmlDeviceGetUtilizationRates", self._util)
                    util = self._util.gpu if self._good(gpu, "util", code, now_s) else None
                self._found_again(gpu, alive=(average, instant, energy, util) != (None, None, None, None))
            reading.average_mw.append(average)
            reading.instant_mw.append(instant)
            reading.energy_mj.append(energy)
            reading.util.append(util)
        return reading

    def _read_fields(self, gpu: Gpu, now_s: float) -> tuple[int | None, int | None, int | None]:
        if not gpu.fields:
            return None, None, None
        code = self._lib.nvmlDeviceGetFieldValues(gpu.handle, gpu.count, gpu.values)
        if not self._good(gpu, "fields", code, now_s):
            return None, None, None
        out: dict[str, int | None] = {}
        for name, position in gpu.fields.items():
            answer = gpu.values[position]
            if self._good(gpu, name, answer.nvmlReturn, now_s):
                out[name] = answer.value.ullVal if answer.valueType == _UNSIGNED_LONG_LONG else answer.value.uiVal
        return out.get("average"), out.get("instant"), out.get("energy")

    def _good(self, gpu: Gpu, measure: str, code: int, now_s: float) -> bool:
        """Return whether a call succeeded; note what happened otherwise, each kind at most once a minute and GPU."""
        if code == 0:
            return True
        self.errors += 1
        index = gpu.chosen.device.nvml_index
        if code in DRIVER_GONE:
            if self._down_until_s is None:
                self._down_until_s = now_s + RETRY_DRIVER_S
                self.incidents.append(Incident("driver_lost", _error_text(code)))
        elif code in GPU_LOST:
            if gpu.lost_until_s is None:
                self.incidents.append(Incident("gpu_lost", index, {"error": _error_text(code)}))
            gpu.lost_until_s = now_s + RETRY_GPU_S
        elif now_s >= gpu.reported.get(measure, now_s):
            gpu.reported[measure] = now_s + REPORT_AGAIN_S
            self.incidents.append(Incident("nvml_error", measure, {"gpu": index, "error": _error_text(code)}))
        return False

    def _found_again(self, gpu: Gpu, *, alive: bool) -> None:
        if alive and gpu.lost_until_s is not None:
            gpu.lost_until_s = None
            self.incidents.append(Incident("gpu_back", gpu.chosen.device.nvml_index))

    def read_slow(self) -> dict[str, list[float | int | None]]:
        """Read limit, memory, clocks, temperature and throttle reasons, shape (gpus,) each."""
        return {name: [self._read_slow_one(gpu, name, call) for gpu in self.gpus] for name, call in _SLOW.items()}

    def _read_slow_one(self, gpu: Gpu, name: str, call: Callable[[Any], float | int]) -> float | int | None:
        if self._down_until_s is not None or gpu.lost_until_s is not None or name in gpu.unsupported:
            return None
        try:
            return call(gpu.handle)
        except pynvml.NVMLError as error:
            if error.value in UNSUPPORTED:
                gpu.unsupported.add(name)
            else:
                self.errors += 1
            return None

    def recover(self, now_s: float) -> bool:
        """After a lost driver: start NVML anew, at most every ten seconds; return True when the GPUs are back."""
        if self._down_until_s is None or now_s < self._down_until_s:
            return False
        self._down_until_s = now_s + RETRY_DRIVER_S
        self.close()
        try:
            handles = {device.uuid: handle for device, handle in self._start()}
        except NvmlUnavailable:
            return False
        if not handles:
            return False
        for position, gpu in enumerate(self.gpus):
            handle = handles.get(gpu.chosen.device.uuid)
            if handle is None:
                gpu.lost_until_s = now_s + RETRY_GPU_S
            else:
                self.gpus[position] = self._probe(Gpu(gpu.chosen, handle))
        self._down_until_s = None
        self.incidents.append(Incident("driver_back", self.driver))
        return True

    def close(self) -> None:
        """Release NVML; harmless when the driver has gone."""
        quiet(pynvml.nvmlShutdown)

    def sources(self) -> list[str]:
        """Return where the figures come from, as the header lists them."""
        out = []
        if any(gpu.energy_source != "none" for gpu in self.gpus):
            out.append("nvml.energy")
        for name in ("average", "usage"):
            if any(gpu.power_source == name for gpu in self.gpus):
                out.append(f"nvml.power.{name}")
        if any("instant" in gpu.fields for gpu in self.gpus):
            out.append("nvml.power.instant")
        return out


_POWER_FIELDS = (("average", FIELD_AVERAGE), ("instant", FIELD_INSTANT))
_UNSIGNED_LONG_LONG = 3


def _throttle_reasons(handle: Any) -> int:
    try:
        return int(pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle))
    except pynvml.NVMLError as error:
        if error.value != pynvml.NVML_ERROR_FUNCTION_NOT_FOUND:
            raise
        # Drivers before 535 know it by its old name.
        return int(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))


_SLOW: dict[str, Callable[[Any], float | int]] = {
    "power_limit_w": lambda h: round(pynvml.nvmlDeviceGetEnforcedPowerLimit(h) / 1000, 1),
    "memory_used_mib": lambda h: int(pynvml.nvmlDeviceGetMemoryInfo(h).used) >> 20,
    "sm_clock_mhz": lambda h: int(pynvml.nvmlDeviceGetClockInfo(h, pynvml.NVML_CLOCK_SM)),
    "memory_clock_mhz": lambda h: int(pynvml.nvmlDeviceGetClockInfo(h, pynvml.NVML_CLOCK_MEM)),
    "temperature_c": lambda h: int(pynvml.nvmlDeviceGetTemperature(h, pynvml.NVML_TEMPERATURE_GPU)),
    "throttle_reasons": _throttle_reasons,
}


def _error_text(code: int) -> str:
    return f"NVML error {code}: {pynvml.NVMLError(code)}"
