"""Which GPUs to record: `--gpus`, else CUDA_VISIBLE_DEVICES, by index, UUID, UUID prefix or MIG id.

Pure: the devices are given, nothing is asked of the driver. CUDA_VISIBLE_DEVICES follows CUDA's rules (CUDA C++
Programming Guide, "CUDA Environment Variables"): indices count in PCI order, a prefix must be unique, everything from
the first invalid entry on is invisible, and an empty value hides all GPUs. `--gpus` takes nvidia-smi's indices and
notes what it does not find.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class MigDevice(NamedTuple):
    """A MIG compute instance: its UUID, ids and compute slices (None where the driver does not tell)."""

    uuid: str
    gpu_instance: int
    compute_instance: int
    slices: int | None = None


class Device(NamedTuple):
    """A GPU as the driver lists it; `nvml_index` is nvidia-smi's, `mig_slices` the compute slices of the whole GPU."""

    nvml_index: int
    uuid: str
    name: str
    pci_bus_id: str
    mig: bool = False
    mig_devices: tuple[MigDevice, ...] = ()
    mig_slices: int | None = None


class Chosen(NamedTuple):
    """A GPU to record, and the MIG devices of it that the job was given (empty: the whole GPU)."""

    device: Device
    mig_devices: tuple[MigDevice, ...] = ()

    @property
    def share(self) -> float | None:
        """Return the job's share of the GPU by compute slices; 1 for a whole GPU, None where the slices are unknown."""
        if not self.mig_devices:
            return None if self.device.mig else 1.0
        slices = [m.slices for m in self.mig_devices]
        if self.device.mig_slices is None or any(s is None for s in slices):
            return None
        return round(min(sum(s for s in slices if s is not None) / self.device.mig_slices, 1.0), 4)


class Selection(NamedTuple):
    """What was chosen, in PCI order, by what, with notes for the header; `reason` says why nothing was chosen."""

    chosen: tuple[Chosen, ...]
    by: str
    value: str | None
    notes: tuple[str, ...] = ()
    reason: str | None = None


def select(devices: Sequence[Device], gpus: str | None, environ: Mapping[str, str]) -> Selection:
    """Resolve `--gpus` (`gpus`), else CUDA_VISIBLE_DEVICES of `environ`, else all GPUs."""
    in_pci_order = sorted(devices, key=lambda d: d.pci_bus_id.lower())
    if gpus is not None and gpus.strip().lower() != "all":
        by_index = {str(d.nvml_index): d for d in devices}
        return _resolve(in_pci_order, by_index, "--gpus", gpus, stop_at_invalid=False)
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if gpus is None and visible is not None:
        by_index = {str(i): d for i, d in enumerate(in_pci_order)}
        selection = _resolve(in_pci_order, by_index, "CUDA_VISIBLE_DEVICES", visible, stop_at_invalid=True)
        return _with_order_note(selection, devices, environ)
    reason = None if devices else "the driver lists no GPU"
    return Selection(tuple(Chosen(d) for d in in_pci_order), "all", None, reason=reason)


def _resolve(
    devices: Sequence[Device], by_index: Mapping[str, Device], by: str, value: str, *, stop_at_invalid: bool
) -> Selection:
    entries = [e.strip() for e in value.split(",")] if value.strip() else []
    if not entries or value.strip().lower() == "none":
        return Selection((), by, value, reason=f"{by} is {value!r}: no GPU selected")
    whole: set[str] = set()
    parts: dict[str, list[MigDevice]] = {}
    notes: list[str] = []
    for entry in entries:
        found = _find(entry, devices, by_index)
        if isinstance(found, str):
            notes.append(found + (", it and all after it are invisible to CUDA" if stop_at_invalid else ""))
            if stop_at_invalid:
                break
            continue
        device, mig_device = found
        if mig_device is None:
            whole.add(device.uuid)
        elif mig_device not in parts.setdefault(device.uuid, []):
            parts[device.uuid].append(mig_device)
    chosen = tuple(
        Chosen(d, () if d.uuid in whole else tuple(parts[d.uuid]))
        for d in devices
        if d.uuid in whole or d.uuid in parts
    )
    reason = None if chosen else f"{by}={value}: " + "; ".join(notes)
    return Selection(chosen, by, value, tuple(notes), reason)


def _find(
    entry: str, devices: Sequence[Device], by_index: Mapping[str, Device]
) -> tuple[Device, MigDevice | None] | str:
    """Return the GPU (and MIG device) that an entry names, or a sentence why there is none."""
    if entry.lower().startswith("mig-"):
        return _find_mig(entry, devices)
    if entry.lower().startswith("gpu-"):
        matches = [d for d in devices if d.uuid.lower().startswith(entry.lower())]
        if len(matches) > 1:
            return f"{entry} fits {len(matches)} GPUs"
        return (matches[0], None) if matches else f"no GPU has the UUID {entry}"
    index, colon, mig_index = entry.partition(":")
    device = by_index.get(str(int(index))) if index.isascii() and index.isdigit() else None
    if device is None:
        return f"no GPU {entry!r} among {len(devices)}"
    if not colon:
        return device, None
    if not (mig_index.isascii() and mig_index.isdigit()) or int(mig_index) >= len(device.mig_devices):
        return f"GPU {index} has no MIG device {mig_index!r}"
    return device, device.mig_devices[int(mig_index)]


def _find_mig(entry: str, devices: Sequence[Device]) -> tuple[Device, MigDevice | None] | str:
    """Find `MIG-<uuid>` (a unique prefix will do) or the older `MIG-GPU-<uuid>/<gpu instance>/<compute instance>`."""
    lowered = entry.lower()
    matches = [(d, m) for d in devices for m in d.mig_devices if _names_mig(lowered, d, m)]
    exact = [match for match in matches if match[1].uuid.lower() == lowered]
    if len(exact or matches) == 1:
        return (exact or matches)[0]
    return f"{entry} fits {len(matches)} MIG devices" if matches else f"no MIG device {entry}"


def _names_mig(lowered: str, device: Device, mig_device: MigDevice) -> bool:
    old_form = f"mig-{device.uuid}/{mig_device.gpu_instance}/{mig_device.compute_instance}".lower()
    return lowered == old_form or mig_device.uuid.lower().startswith(lowered)


def _with_order_note(selection: Selection, devices: Sequence[Device], environ: Mapping[str, str]) -> Selection:
    """Warn where CUDA may count in another order: it puts the fastest GPU first unless told to use PCI order."""
    entries = (selection.value or "").split(",")
    by_number = any(e.strip().isdigit() for e in entries)
    mixed = len({d.name for d in devices}) > 1
    if not (by_number and mixed) or environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID":
        return selection
    note = "GPUs of several models and no CUDA_DEVICE_ORDER=PCI_BUS_ID: CUDA may number them in another order"
    return Selection(selection.chosen, selection.by, selection.value, (*selection.notes, note), selection.reason)
