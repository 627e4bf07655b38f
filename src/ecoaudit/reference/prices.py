"""What a GPU costs for an hour: dated on-demand list prices of cloud providers."""

import statistics
from collections.abc import Sequence

from ecoaudit.reference import rows
from ecoaudit.reference.types import Citation, GpuPrice, Region

# List prices move between the day of the table and the day of the run.
_DATED = 0.10


class PriceTable:
    """Prices by GPU; a region's own provider first."""

    def __init__(self, table: Sequence[rows.Row], regions: Sequence[Region]) -> None:
        self.all = tuple(_price(row) for row in table)
        self._gpus_per_instance = {(row["provider"], row["instance"]): int(row["gpu_count"]) for row in table}
        self._country = {region.key: region.country for region in regions}

    def of(self, gpu: str, region: Region | None) -> GpuPrice | None:
        """Return the price of one GPU for one hour, or None where no price of this GPU is known.

        The region's provider in the region itself, else in the same country or under the same prefix (`eu-`), else its
        median over regions; without one, the median over providers with their range as the interval.
        """
        offers = [price for price in self.all if price.gpu == gpu]
        if not offers:
            return None
        if region is not None:
            own = [price for price in offers if price.provider == region.provider]
            if own:
                return self._of_provider(own, region)
        by_provider = [self._of_provider(_of(offers, name), None) for name in {price.provider for price in offers}]
        values = sorted(price.usd_per_gpu_hour for price in by_provider)
        dates = sorted({price.citation.year for price in by_provider if price.citation.year})
        return GpuPrice(
            provider=f"median of {len(values)} providers" if len(values) > 1 else by_provider[0].provider,
            instance="",
            gpu=gpu,
            region=None,
            usd_per_gpu_hour=statistics.median(values),
            low=min(price.low for price in by_provider),
            high=max(price.high for price in by_provider),
            citation=Citation(
                source="; ".join(sorted({price.citation.source for price in by_provider})),
                year=dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}",
                licence="; ".join(sorted({price.citation.licence or "" for price in by_provider})),
            ),
        )

    def _of_provider(self, offers: Sequence[GpuPrice], region: Region | None) -> GpuPrice:
        """Return a provider's offer of the largest node, in or near the region; several regions give their median."""
        near = list(offers)
        if region is not None:
            here = [price for price in offers if price.region in (None, region.name)]
            same_country = [
                price for price in offers if self._country.get(f"{price.provider}:{price.region}") == region.country
            ]
            same_continent = [
                price for price in offers if (price.region or "").split("-")[0] == region.name.split("-")[0]
            ]
            near = here or same_country or same_continent or near
        size = max(self._gpus_per_instance[price.provider, price.instance] for price in near)
        near = [price for price in near if self._gpus_per_instance[price.provider, price.instance] == size]
        near.sort(key=lambda price: price.usd_per_gpu_hour)
        middle = near[(len(near) - 1) // 2]
        return GpuPrice(
            provider=middle.provider,
            instance=middle.instance,
            gpu=middle.gpu,
            region=middle.region,
            usd_per_gpu_hour=middle.usd_per_gpu_hour,
            low=near[0].low,
            high=near[-1].high,
            citation=middle.citation,
        )


def _of(offers: Sequence[GpuPrice], provider: str) -> list[GpuPrice]:
    return [price for price in offers if price.provider == provider]


def _price(row: rows.Row) -> GpuPrice:
    value = rows.number(row, "usd_per_gpu_hour")
    return GpuPrice(
        provider=row["provider"],
        instance=row["instance"],
        gpu=row["gpu"],
        region=rows.text(row, "region"),
        usd_per_gpu_hour=value,
        low=value * (1 - _DATED),
        high=value * (1 + _DATED),
        citation=rows.citation(row),
    )
