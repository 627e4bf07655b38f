"""What a GPU is, as NVML tells it: name, UUID, place on the PCI bus, and its division into MIG devices."""

from collections.abc import Callable
from typing import Any

import pynvml

from .selection import Device, MigDevice


def describe(index: int, handle: Any) -> Device:
    """Return what identifies a GPU; raises NVMLError where it has neither name nor UUID."""
    mig = (quiet(pynvml.nvmlDeviceGetMigMode, handle) or [None])[0] == pynvml.NVML_DEVICE_MIG_ENABLE
    pci = quiet(pynvml.nvmlDeviceGetPciInfo, handle)
    return Device(
        nvml_index=index,
        uuid=text_of(pynvml.nvmlDeviceGetUUID(handle)),
        name=text_of(pynvml.nvmlDeviceGetName(handle)),
        pci_bus_id=text_of(pci.busId) if pci is not None else f"{index:08x}",
        mig=mig,
        mig_devices=_mig_devices(handle) if mig else (),
        mig_slices=_mig_slices(handle) if mig else None,
    )


def _mig_devices(handle: Any) -> tuple[MigDevice, ...]:
    out = []
    for position in range(quiet(pynvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
        part = quiet(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, position)
        if part is None:
            continue
        uuid = quiet(pynvml.nvmlDeviceGetUUID, part)
        gpu_instance = quiet(pynvml.nvmlDeviceGetGpuInstanceId, part)
        compute_instance = quiet(pynvml.nvmlDeviceGetComputeInstanceId, part)
        attributes = quiet(pynvml.nvmlDeviceGetAttributes, part)
        slices = None if attributes is None else int(attributes.computeInstanceSliceCount)
        if uuid is not None and gpu_instance is not None and compute_instance is not None:
            out.append(MigDevice(text_of(uuid), gpu_instance, compute_instance, slices))
    return tuple(out)


def _mig_slices(handle: Any) -> int | None:
    """Return the compute slices of the whole GPU: 7, or 4 on boards such as A30; None when the driver won't say."""
    for profile in (pynvml.NVML_GPU_INSTANCE_PROFILE_7_SLICE, pynvml.NVML_GPU_INSTANCE_PROFILE_4_SLICE):
        for version in (2, 1):
            info = quiet(pynvml.nvmlDeviceGetGpuInstanceProfileInfo, handle, profile, version)
            if info is not None:
                return int(info.sliceCount)
    return None


def quiet(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return what an optional call returns, or None where NVML refuses it."""
    try:
        return call(*arguments)
    except pynvml.NVMLError:
        return None


def text_of(value: str | bytes) -> str:
    """Return what NVML says as text, whichever of its bindings answers."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
