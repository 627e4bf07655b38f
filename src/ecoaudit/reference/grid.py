"""Where a run was: cloud regions, grid zones with their intensity, and PUE."""

import difflib
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from ecoaudit.errors import EcoauditError
from ecoaudit.quantity import Basis
from ecoaudit.reference import rows
from ecoaudit.reference.types import GridBasis, GridFactor, PueFactor, Region

# 90 % half-widths. An annual average of the same zone moves by about a tenth from year to year and between methods.
_SAME_ZONE = 0.10
# A country in place of one of its zones, and zone figures that cover part of the plants. Sweden's four bidding zones
# (codecarbon, ENTSO-E 2025) lie 24 to 30 % below Ember's figure for the country; PJM lies 16 % below the US figure.
_STAND_IN = 0.25

# A site's PUE of the same year moves with the weather and the load; a provider's average stands for sites that
# Amazon's and Microsoft's own disclosures spread over about a tenth. 1.1 to 1.8 spans the answers to the survey.
_PUE_WIDTH = {"site": 0.05, "provider": 0.10}
_PUE_SURVEY = (1.1, 1.8)

_ALIASES = {"UK": "GB", "EL": "GR", "WORLD": "WORLD", "WLD": "WORLD", "EUU": "EU"}


class RegionTable:
    """Cloud regions by `provider:region`, or by region alone where only one provider uses the name."""

    def __init__(self, table: Sequence[rows.Row]) -> None:
        self._by_key = {region.key.lower(): region for region in map(_region, table)}
        self.all = tuple(self._by_key.values())

    def get(self, key: str) -> Region:
        """Return the region; raises `EcoauditError` with the candidates or the nearest keys."""
        wanted = key.strip().lower()
        if wanted in self._by_key:
            return self._by_key[wanted]
        named = [region for region in self.all if region.name.lower() == wanted]
        if len(named) == 1:
            return named[0]
        if named:
            raise EcoauditError(
                f"region {key!r} is ambiguous", fix=f"name one of: {', '.join(region.key for region in named)}"
            )
        bare = {region.name.lower(): region.key for region in self.all}
        near = [self._by_key[match].key for match in difflib.get_close_matches(wanted, self._by_key, n=3)]
        near = near or [bare[match] for match in difflib.get_close_matches(wanted.split(":")[-1], bare, n=3)]
        fix = f"did you mean {' or '.join(near)}?" if near else "regions are named like aws:eu-north-1;"
        raise EcoauditError(f"unknown region {key!r}", fix=f"{fix} a zone (a country code) or an intensity also serves")


class GridTable:
    """Annual average intensity by zone: countries, parts of countries, the EU and the world."""

    def __init__(self, table: Sequence[rows.Row], regions: Sequence[Region]) -> None:
        self._rows: dict[str, list[rows.Row]] = {}
        for row in table:
            self._rows.setdefault(row["zone"], []).append(row)
        self._iso3 = {row["iso3"]: row["zone"] for row in table if row["iso3"]}
        self._names = {row["name"].lower(): row["zone"] for row in table if row["scope"] != "part"}
        self._region_zones = {region.zone for region in regions}
        self.countries = tuple(
            self._factor(found[0]) for found in self._rows.values() if found[0]["scope"] == "country"
        )
        self.zones = tuple(self._factor(found[0]) for found in self._rows.values())

    def of_zone(self, zone: str) -> GridFactor:
        """Return the zone's own figure, else its country's as a stand-in; raises `EcoauditError` when unknown."""
        code = self._code(zone)
        own = self._rows.get(code, [])
        if any(row["default"] == "yes" for row in own):
            return self._with_alternatives(self._factor(own[0]), code)
        return self._stand_in(code)

    def of_region(self, region: Region) -> GridFactor:
        """Return the figure for a cloud region's zone.

        Every provider's regions are read from the same sources, so that clouds stay comparable: the country (Ember)
        where it is one market or where its zones' figures are partial, else the zone's.
        """
        own = self._rows.get(region.zone, [])
        if own and own[0]["for_regions"] == "yes" and own[0]["scope"] == "part":
            return self._with_alternatives(self._factor(own[0]), region.zone)
        if own and region.zone == region.country and not self._has_parts(region.country):
            return self._with_alternatives(self._factor(own[0]), region.zone)
        return self._stand_in(region.zone)

    def _stand_in(self, zone: str) -> GridFactor:
        country = zone.split("-", maxsplit=1)[0]
        factor = self._factor(self._rows[country][0], stand_in=True)
        return replace(self._with_alternatives(factor, zone), zone=zone)

    def _has_parts(self, country: str) -> bool:
        return any(zone.startswith(f"{country}-") for zone in self._rows)

    def _with_alternatives(self, chosen: GridFactor, zone: str) -> GridFactor:
        """Attach every other figure of the zone and of its country, each with its own basis."""
        country = zone.split("-", maxsplit=1)[0]
        others = [self._factor(row) for row in self._rows.get(zone, [])]
        if country != zone:
            others += [self._factor(row, stand_in=True) for row in self._rows.get(country, [])]
        same = (chosen.zone, chosen.basis, chosen.citation)
        return replace(chosen, alternatives=tuple(o for o in others if (o.zone, o.basis, o.citation) != same))

    def _factor(self, row: rows.Row, *, stand_in: bool = False) -> GridFactor:
        value = rows.number(row, "g_per_kwh")
        partial = row["scope"] == "part" and row["for_regions"] == "no"
        width = _STAND_IN if stand_in or partial else _SAME_ZONE
        return GridFactor(
            zone=row["zone"],
            name=row["name"],
            g_per_kwh=value,
            low=value * (1 - width),
            high=value * (1 + width),
            basis=cast(GridBasis, row["basis"]),
            citation=rows.citation(row),
            stand_in=stand_in,
        )

    def _code(self, zone: str) -> str:
        code = zone.strip().upper().replace("_", "-")
        code = _ALIASES.get(code, self._iso3.get(code, self._names.get(zone.strip().lower(), code)))
        if code in self._rows or code in self._region_zones:
            return code
        # Bidding zones are often named without their country: SE3, NO4.
        known = sorted({*self._rows, *self._region_zones})
        parts = [zone for zone in known if zone.endswith(f"-{code}")]
        if len(code) > 2 and len(parts) == 1:
            return parts[0]
        near = parts or difflib.get_close_matches(code, known, n=3, cutoff=0.5)
        fix = f"did you mean {', '.join(near)}?" if near else "zones are ISO country codes or parts such as US-TX"
        raise EcoauditError(f"unknown grid zone {zone!r}", fix=fix)


class PueTable:
    """PUE by site, else by provider, else from a survey of data centres."""

    def __init__(self, table: Sequence[rows.Row]) -> None:
        self._by_key = {row["key"]: row for row in table}
        self.all = tuple(_pue(row) for row in table)

    def of(self, region: Region | None) -> PueFactor:
        """Return the best known PUE for the region; without a region, the survey's."""
        keys = [region.key, region.provider] if region else []
        return _pue(next(self._by_key[key] for key in [*keys, "*"] if key in self._by_key))


def _pue(row: rows.Row) -> PueFactor:
    value = rows.number(row, "pue")
    scope = row["scope"]
    if scope == "survey":
        low, high = _PUE_SURVEY
    else:
        # A design value is a promise, not a reading.
        width = _PUE_WIDTH["provider"] if row["basis"] == "assumed" else _PUE_WIDTH[scope]
        low, high = max(1.0, value * (1 - width)), value * (1 + width)
    return PueFactor(
        value=value,
        low=low,
        high=high,
        scope=scope,  # type: ignore[arg-type]
        basis=Basis(row["basis"]),
        citation=rows.citation(row),
    )


def _region(row: rows.Row) -> Region:
    return Region(
        key=f"{row['provider']}:{row['region']}",
        provider=row["provider"],
        name=row["region"],
        location=row["place"],
        country=row["country"],
        zone=row["zone"],
        citation=rows.citation(row),
        market_based_g_per_kwh=rows.optional(row, "market_based_g_per_kwh"),
        cfe_share=rows.optional(row, "cfe_share"),
        cfe_kind=rows.text(row, "cfe_kind"),  # type: ignore[arg-type]
        cfe_citation=rows.citation(row, "cfe_") if row["cfe_source"] else None,
    )
