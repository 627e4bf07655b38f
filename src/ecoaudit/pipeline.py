"""The main job, end to end: logs in, audit, verdict and report files out. Command line and action both call this."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ecoaudit import __version__
from ecoaudit.config import Config
from ecoaudit.errors import EcoauditError
from ecoaudit.model.audit import Audit, encode
from ecoaudit.quantity import Basis

if TYPE_CHECKING:
    from ecoaudit.judge.verdict import Verdict
    from ecoaudit.model.calibration import CalibratedLine
    from ecoaudit.model.inputs import Site
    from ecoaudit.reference import Tables
    from ecoaudit.reference.types import GpuPrice, GridFactor, PueFactor
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


def audit_inputs(inputs: Sequence[str], config: Config, identity: RunIdentity | None = None) -> Audit:
    """Read `inputs` (files, folders, globs), and return their audit under `config`.

    Raises `EcoauditError` for input that is missing or is no log, and for names the tables do not know.
    """
    from ecoaudit import ingest, reference
    from ecoaudit.model.build import build_audit
    from ecoaudit.model.inputs import Identity, ModelOptions

    tables = reference.load()
    # Configuration first: an unknown region must not wait for gigabytes of logs to be read.
    calibration = _calibration(config.calibration)
    options = ModelOptions(
        host_power_w=config.host_power_w,
        cooling=config.cooling,
        meter_boundary=config.meter_boundary,
        network_power_w=config.network_power_w,
        calibration=calibration,
    )
    site = resolve_site(config, tables)
    logs = ingest.read(inputs, timezone=config.timezone, meter_boundary=config.meter_boundary)
    site = dataclasses.replace(site, price=_price(config, tables, _gpu_names(logs)))
    identity = identity or RunIdentity()
    return build_audit(
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
    )


def resolve_site(config: Config, tables: "Tables") -> "Site":
    """Return grid and PUE for the configured place; the price needs the GPU and comes after the logs."""
    from ecoaudit.model.inputs import Site

    grid, warnings = _grid(config, tables)
    region = tables.region(config.region) if config.region else None
    pue, pue_warnings = _pue(config, tables)
    return Site(grid=grid, pue=pue, price=None, region=region, warnings=(*warnings, *pue_warnings))


def _grid(config: Config, tables: "Tables") -> tuple["GridFactor | None", tuple[str, ...]]:
    from ecoaudit.reference.types import Citation, GridFactor

    if config.intensity_g_per_kwh is not None:
        value = config.intensity_g_per_kwh
        given = GridFactor(
            zone=config.zone or config.region or "given",
            name="given by the user",
            g_per_kwh=value,
            low=value,
            high=value,
            basis=config.intensity_basis,
            citation=Citation(source="given by the user (intensity)"),
        )
        return given, ()
    if config.zone is not None:
        return tables.grid(zone=config.zone), ()
    if config.region is not None:
        return tables.grid(region=config.region), ()
    return None, ("carbon is not known: no region, zone or intensity is given; set --region, --zone or --intensity",)


def _pue(config: Config, tables: "Tables") -> tuple["PueFactor", tuple[str, ...]]:
    from ecoaudit.reference.types import Citation, PueFactor

    if config.pue != "auto":
        value = float(config.pue)
        given = PueFactor(
            value=value,
            low=value,
            high=value,
            scope="user",
            basis=Basis.ASSUMED,
            citation=Citation(source="given by the user (pue)"),
        )
        return given, ()
    factor = tables.pue(config.region)
    if factor.scope in {"survey", "unknown"}:
        place = config.region or "an unknown place"
        return factor, (
            f"PUE of {place} is not published or not known: {factor.value:g} "
            f"({factor.low:g} to {factor.high:g}) is assumed; set --pue",
        )
    return factor, ()


def _gpu_names(logs: object) -> list[str]:
    """Return the GPU names that the logs carry, telemetry before system descriptions."""
    from ecoaudit.ingest.records import RunLogs

    assert isinstance(logs, RunLogs)
    names = [gpu.name for telemetry in logs.telemetry for gpu in telemetry.gpus if gpu.name]
    return names or [system.gpu_model for system in logs.systems if system.gpu_model]


def _price(config: Config, tables: "Tables", gpu_names: Sequence[str]) -> "GpuPrice | None":
    from ecoaudit.reference.types import Citation, GpuPrice

    if config.price_per_gpu_hour != "auto":
        value = float(config.price_per_gpu_hour)
        return GpuPrice(
            provider="given",
            instance="",
            gpu=gpu_names[0] if gpu_names else "",
            region=config.region,
            usd_per_gpu_hour=value,
            low=value,
            high=value,
            citation=Citation(source="given by the user (price_per_gpu_hour)"),
        )
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
    from ecoaudit.model.audit import decode

    try:
        data = path.read_bytes()
    except OSError as error:
        raise EcoauditError(f"cannot read the audit: {error.strerror}", where=str(path)) from error
    return decode(data, where=str(path))


def write_report(
    audit: Audit, verdict: "Verdict", folder: Path, *, base: Audit | None = None, history: Sequence[Audit] = ()
) -> tuple["Report", ReportFiles]:
    """Render `audit` and `verdict` and write audit.json, report.md, report.html and charts/ into `folder`.

    `history` holds the runs before `base`, the oldest first, for the trend.
    """
    from ecoaudit import report

    rendered = report.build(audit, verdict, base=base, history=history)
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
