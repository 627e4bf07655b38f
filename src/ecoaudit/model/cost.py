"""What the run cost: allocated GPU-hours times the price of one."""

from dataclasses import dataclass

from ecoaudit.model.audit import Cost
from ecoaudit.model.inputs import Site
from ecoaudit.model.notes import Notes
from ecoaudit.model.uncertainty import Uncertain, factor
from ecoaudit.quantity import Basis, Quantity


@dataclass(frozen=True, slots=True)
class Bill:
    """The cost for the audit, with the price as a factor for savings."""

    cost: Cost
    usd_per_gpu_hour: Uncertain | None


def bill(site: Site, gpu_hours: float | None, notes: Notes, lacking: str | None = None) -> Bill:
    """Return GPU-hours x price; null where the price or the GPU-hours are not known.

    `lacking` says what is not known of the hardware.
    """
    hours = Quantity.exact(gpu_hours, "GPU-h", Basis.MEASURED, "GPUs × job duration") if gpu_hours else None
    price = site.price
    if price is None:
        notes.null("cost.total", lacking or "no price is known for these GPUs; give --price")
        return Bill(Cost(gpu_hours=hours), None)
    offer = f"{price.provider} {price.instance}".strip()
    notes.cite("price of a GPU-hour", f"${price.usd_per_gpu_hour:g} ({offer})", price.citation)
    usd = factor(
        f"price of {price.gpu} at {price.provider}", price.usd_per_gpu_hour, price.low, price.high, at_least=0.0
    )
    source = f"{offer}: {price.citation.source}"
    if gpu_hours is None:
        notes.null("cost.total", lacking or "the number of GPUs or the duration is not known")
    return Bill(
        Cost(
            total=(usd * gpu_hours).quantity("USD", Basis.MODELLED, f"GPU-hours × price, {source}")
            if gpu_hours
            else None,
            per_gpu_hour=usd.quantity("USD", Basis.ASSUMED, source),
            gpu_hours=hours,
        ),
        usd,
    )
