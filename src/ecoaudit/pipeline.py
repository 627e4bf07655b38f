"""The main job, end to end: logs in, audit, verdict and report files out. Command line and action both call this."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ecoaudit import __version__
from ecoaudit.arguments import arguments
from ecoaudit.config import Config
from ecoaudit.errors import EcoauditError
from ecoaudit.jobs import Jobs
from ecoaudit.model.audit import Audit
from ecoaudit.model.audit_json import encodable, encode

if TYPE_CHECKING:
    from ecoaudit.ingest.records import RunLogs
    from ecoaudit.judge.verdict import Verdict
    from ecoaudit.model.calibration import CalibratedLine
    from ecoaudit.model.inputs import ModelOptions, Site, StatedHardware, StatedModel
    from ecoaudit.reference import Tables
    from ecoaudit.reference.types import GpuPrice, GridFactor, IntensitySeries, Region
    from ecoaudit.report import Report


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Which run this is, for the report and for finding its baseline."""

    run_id: str | None = None
    commit: str | None = None
    branch: str | None = None


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where the report was written."""

    audit_json: Path
    report_md: Path
    report_html: Path
    charts: tuple[Path, ...]


def audit_inputs(
    inputs: Sequence[str], config: Config, identity: RunIdentity | None = None, jobs: Jobs | None = None
) -> Audit:
    """Read `inputs` (files, folders, globs), and return their audit under `config`.

    `jobs` are the processes that share telemetry too large for memory; without, it is read in this one.
    Raises `EcoauditError` for input that is missing or is no log, and for names the tables do not know.
    """
    from ecoaudit import ingest, reference, rereading
    from ecoaudit.model.build import build_audit
    from ecoaudit.model.inputs import Identity, ModelOptions
    from ecoaudit.reference import live

    tables = reference.load()
    # Configuration first: an unknown region must not wait for gigabytes of logs to be read.
    options = ModelOptions(
        host_power_w=config.host_power_w,
        cooling=config.cooling,
        meter_boundary=config.meter_boundary,
        network_power_w=config.network_power_w,
        calibration=_calibration(config.calibration),
        hardware=_stated_hardware(config, tables),
        node_gpu_count=config.node_gpu_count,
        model=_stated_model(config, tables),
    )
    site = resolve_site(config, tables)
    provider = live.provider(config.grid_provider, config.intensity_basis) if config.grid_provider else None
    jobs = jobs or Jobs()
    logs = ingest.read(
        inputs,
        timezone=config.timezone,
        meter_boundary=config.meter_boundary,
        own_gpus=config.own_gpus,
        across=jobs.map,
    )
    if provider is not None:
        zone = site.grid.zone if config.zone and site.grid else None
        found = live.ask(provider, live.Place(zone, site.region), _span(logs))
        site = dataclasses.replace(site, series=found.series, warnings=(*site.warnings, *found.warnings))
    site = dataclasses.replace(site, price=_price(config, tables, _gpu_names(logs, options)))
    identity = identity or RunIdentity()
    audit = build_audit(
        logs,
        site,
        tables,
        options,
        Identity(
            tool=f"ecoaudit {__version__}",
            project=config.project,
            run_id=identity.run_id,
            commit=identity.commit,
            branch=identity.branch,
        ),
        rereading.reducer(jobs.map),
    )
    return encodable(msgspec.structs.replace(audit, options=arguments(config)))


def resolve_site(config: Config, tables: "Tables") -> "Site":
    """Return grid, contract and PUE for the configured place; the price needs the GPU and comes after the logs.

    An intensity series is read from its file. Raises `EcoauditError` for unknown places and unreadable series.
    """
    from ecoaudit.model.inputs import Site
    from ecoaudit.reference.place import given_contract, given_pue, market_claim

    region = tables.region(config.region) if config.region else None
    grid = _grid(config, tables)
    series = _series(config, grid)
    market, zone = market_claim(region), grid.zone if grid else None
    if config.market_intensity_g_per_kwh is not None:
        market = given_contract(config.market_intensity_g_per_kwh, zone)
    pue = given_pue(float(config.pue)) if config.pue != "auto" else tables.pue(config.region)
    pue_warning = None
    if pue.scope in {"survey", "unknown"}:
        place = config.region or "an unknown place"
        pue_warning = (
            f"PUE of {place} is not published or not known: {pue.value:g} ({pue.low:g} to {pue.high:g}) is assumed; "
            "give --pue"
        )
    return Site(
        grid=grid,
        pue=pue,
        price=None,
        region=region,
        market=market,
        series=series,
        pue_warning=pue_warning,
        warnings=tuple(_place_warnings(config, grid, region)),
    )


def _place_warnings(config: Config, grid: "GridFactor | None", region: "Region | None") -> Iterator[str]:
    """Yield what an option asks of the place and does not get, or gets from elsewhere."""
    if config.zone and region is not None:
        yield f"the grid is that of zone {config.zone}; PUE and price are those of {region.key}"
    other_ways = (config.intensity_g_per_kwh, config.intensity_series, config.grid_provider)
    asked = config.intensity_basis
    if grid is not None and asked not in {"as given", grid.basis} and all(way is None for way in other_ways):
        yield (
            f"the tables hold a {grid.basis} intensity of {grid.name}, not a {asked} one; "
            "give --intensity, --intensity-series or --grid-provider with that basis"
        )


def _grid(config: Config, tables: "Tables") -> "GridFactor | None":
    from ecoaudit.reference.place import given_grid

    if config.intensity_g_per_kwh is not None:
        return given_grid(config.intensity_g_per_kwh, config.intensity_basis, config.zone or config.region)
    if config.zone is not None:
        return tables.grid(zone=config.zone)
    return tables.grid(region=config.region) if config.region is not None else None


def _series(config: Config, grid: "GridFactor | None") -> "IntensitySeries | None":
    if config.intensity_series is None:
        return None
    from ecoaudit.reference.series import read_series

    return read_series(
        Path(config.intensity_series),
        zone_code=grid.zone if grid else None,
        basis=None if config.intensity_basis == "as given" else config.intensity_basis,
        timezone=config.timezone,
    )


def _span(logs: "RunLogs") -> tuple[float, float] | None:
    """Return the first and the last moment (Unix s) that the logs tell of; None where they have no wall clock."""
    times = [(float(log.time_s[0]), float(log.time_s[-1])) for log in logs.telemetry if log.time_s.size]
    for log in logs.training:
        start, end = log.job_start_s or log.train_start_s, log.job_end_s or log.train_end_s
        if start is not None and end is not None:
            times.append((start, end))
    if not times:
        times = [(float(log.time_s[0]), float(log.time_s[-1])) for log in logs.meters if log.time_s.size]
    return (min(start for start, _ in times), max(end for _, end in times)) if times else None


def _stated_model(config: Config, tables: "Tables") -> "StatedModel | None":
    """Return the trained model as the configuration states it; its own figures go before those of its preset."""
    from ecoaudit.model.inputs import StatedModel

    given = config.model
    if given is None:
        return None
    preset = tables.model(given.preset) if given.preset else None
    # Another size under a preset's name has another shape: only what belongs together is taken from the preset.
    same = preset if given.params is None and given.active_params is None else None
    shape = same if given.layers is None else None
    return StatedModel(
        source=f"{preset.name}, {preset.citation.source}" if preset else "given by the user",
        params=given.params or (same.params if same else None),
        active_params=given.active_params or (same.active_params if same else None),
        layers=shape.layers if shape else given.layers,
        hidden_size=shape.hidden_size if shape else given.hidden_size,
        # The length that a preset was published with is not necessarily the one of this run: the logs come first.
        sequence_length=given.sequence_length,
        preset_sequence_length=preset.sequence_length if preset else None,
        lora=given.method == "lora",
        precision=given.precision,
    )


def _stated_hardware(config: Config, tables: "Tables") -> "StatedHardware | None":
    """Return the hardware as the configuration states it; raises for a GPU that no or more than one row can mean."""
    from ecoaudit.model.inputs import StatedHardware

    given = config.hardware
    if given is None:
        return None
    return StatedHardware(tables.gpu(given.gpu) if given.gpu is not None else None, given.gpus, given.nodes)


def _gpu_names(logs: "RunLogs", options: "ModelOptions") -> list[str]:
    """Return the GPU's name as stated, else the names that the logs carry, telemetry before system descriptions."""
    if options.hardware is not None and options.hardware.gpu is not None:
        return [options.hardware.gpu.name]
    names = [gpu.name for telemetry in logs.telemetry for gpu in telemetry.gpus if gpu.name]
    return names or [system.gpu_model for system in logs.systems if system.gpu_model]


def _price(config: Config, tables: "Tables", gpu_names: Sequence[str]) -> "GpuPrice | None":
    from ecoaudit.reference.place import given_price

    if config.price_per_gpu_hour != "auto":
        return given_price(float(config.price_per_gpu_hour), gpu_names[0] if gpu_names else "", config.region)
    known = [gpu for name in dict.fromkeys(gpu_names) if (gpu := tables.find_gpu(name))]
    if len({gpu.name for gpu in known}) != 1:
        return None
    return tables.price(known[0].name, config.region)


def _calibration(path: str | None) -> "CalibratedLine | None":
    if path is None:
        return None
    from ecoaudit.model import calibration

    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise EcoauditError(f"cannot read the calibration: {error.strerror}", where=path) from error
    return calibration.decode(data, where=path)


def read_audit(path: Path) -> Audit:
    """Read an `audit.json`; raises `EcoauditError` when it is missing or does not fit the schema."""
    from ecoaudit.model.audit_json import decode

    try:
        data = path.read_bytes()
    except OSError as error:
        raise EcoauditError(f"cannot read the audit: {error.strerror}", where=str(path)) from error
    return decode(data, where=str(path))


def write_report(
    audit: Audit,
    verdict: "Verdict",
    folder: Path,
    *,
    base: Audit | None = None,
    history: Sequence[Audit] = (),
    width: int | None = None,
) -> tuple["Report", ReportFiles]:
    """Render `audit` and `verdict` and write audit.json, report.md, report.html and charts/ into `folder`.

    `history` holds the runs before `base`, the oldest first, for the trend; `width` is the terminal's in columns, None
    where the summary goes elsewhere.
    """
    from ecoaudit import report

    rendered = report.build(audit, verdict, base=base, history=history, width=width)
    try:
        (folder / "charts").mkdir(parents=True, exist_ok=True)
        files = ReportFiles(
            audit_json=_write(folder / "audit.json", encode(audit)),
            report_md=_write(folder / "report.md", rendered.markdown.encode()),
            report_html=_write(folder / "report.html", rendered.html.encode()),
            charts=tuple(_write(folder / "charts" / name, data) for name, data in _sorted(rendered.charts)),
        )
    except OSError as error:
        raise EcoauditError(f"cannot write the report: {error.strerror}", where=str(folder)) from error
    return rendered, files


def _sorted(charts: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
    return sorted(charts.items())


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
