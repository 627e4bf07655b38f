"""Logs in, audit out: the one place that knows in which order the parts of the model are asked. Pure."""

from dataclasses import dataclass

import numpy as np
from msgspec import structs

from ecoaudit.ingest.records import FloatArray, RunLogs, TrainingLog
from ecoaudit.model import audit as a
from ecoaudit.model.apart import check_one_log, check_one_run
from ecoaudit.model.boards import BoardEnergy, board_energy, filling_w, static_energy
from ecoaudit.model.carbon import NO_ENERGY, NO_GRID, Intensity, carbon, embodied, functional_unit, intensity
from ecoaudit.model.clock import is_date, iso
from ecoaudit.model.cost import Bill, bill
from ecoaudit.model.drivers import drivers
from ecoaudit.model.efficiency import Reference, efficiency, find_reference
from ecoaudit.model.facts import RunFacts
from ecoaudit.model.findings import findings
from ecoaudit.model.flops import Work, count_work, is_lora, workload_of
from ecoaudit.model.grounding import Grounded, by_power, rapl_energy
from ecoaudit.model.hardware import System, describe_system
from ecoaudit.model.inputs import Identity, ModelOptions, Site, Tables
from ecoaudit.model.levels import PUE_BASIS, Ledger, pue_factor, residual
from ecoaudit.model.marks import marked_training, note_incidents
from ecoaudit.model.match import mismatch
from ecoaudit.model.meters import NodeMeters, node_meters, own_meters
from ecoaudit.model.network import network
from ecoaudit.model.nodes import (
    GpuReading,
    NodeReading,
    Stream,
    check_counters,
    read_nodes,
    streams,
)
from ecoaudit.model.notes import Notes
from ecoaudit.model.partition import own_part
from ecoaudit.model.parts import phase_energies, step_energies
from ecoaudit.model.plausible import note_impossible, plausible, why_no_board_energy
from ecoaudit.model.quality import quality
from ecoaudit.model.reduction import Reducer, reduce_in_memory
from ecoaudit.model.reported import reported_energy
from ecoaudit.model.stated import sized, with_hardware, with_sequence
from ecoaudit.model.throughput import find_throughput
from ecoaudit.model.timeline import Cuts, cut, timeline
from ecoaudit.model.training import combine, filled, restated
from ecoaudit.model.training_figures import training_figures
from ecoaudit.model.undated import dated
from ecoaudit.model.utilisation import by_utilisation, same_system, seen
from ecoaudit.model.windows import RunTime, recorded_span, run_time
from ecoaudit.quantity import Boundary


@dataclass(frozen=True, slots=True)
class _Read:
    """The run's logs after grouping, placing and integrating; `mismatch`: why the log's work is not the recording's."""

    found: tuple[Stream, ...]
    training: TrainingLog | None
    time: RunTime
    system: System
    cuts: Cuts | None
    nodes: tuple[NodeReading, ...]
    gpus: tuple[GpuReading, ...]
    power_field: str
    mismatch: str | None

    @property
    def edges(self) -> FloatArray:
        """Edges of the segments; the job is one segment where nothing places it on the clock."""
        return self.cuts.edges if self.cuts is not None else np.array([0.0, self.time.duration_s or 0.0])


def build_audit(
    logs: RunLogs,
    site: Site,
    tables: Tables,
    options: ModelOptions,
    identity: Identity,
    reducer: Reducer = reduce_in_memory,
) -> a.Audit:
    """Return the audit of one run. What the logs do not tell is null, with its reason in `quality.unknown`.

    With a `reducer` of their own, callers audit telemetry that does not fit in memory: `logs.telemetry` then holds the
    files' heads, and the reducer (a pool of processes, a cluster) reduces each file for itself. Raises `EcoauditError`
    for logs that are several runs.
    """
    notes = Notes()
    for text in (*logs.warnings, *site.warnings):
        notes.warn(text)
    logs = with_sequence(with_hardware(logs, options.hardware, tables, notes), options.model)
    # Segments end where the intensity changes, so that its integral against the power is exact.
    read = _read(logs, options, tables, reducer, notes, site.series.time_s if site.series is not None else None)
    duration_s = read.time.duration_s
    seconds = np.diff(read.edges)
    boards = board_energy(read.gpus, seconds, tables, read.power_field, notes) if read.gpus else None
    meters = _meters(logs, read, options, notes)
    nodes_refused = meters is None and any(m.kind == "node" for m in logs.meters)
    ledger = Ledger(
        system=read.system,
        seconds=seconds,
        static_w=static_energy(read.system, 1.0) if duration_s else None,
        boards=boards,
        grounded=_grounded(read, boards, seconds, options, tables, notes),
        meters=meters,
        network=network(logs.meters, options.network_power_w, read.edges, notes, nodes_refused=nodes_refused)
        if duration_s
        else None,
        pue=site.pue,
    )
    lacking = why_no_board_energy(logs.telemetry, read.found) if boards is None else None
    ledger.explain(notes, no_boards=lacking)

    job = ledger.everything
    in_training = read.cuts.in_training if read.cuts else job
    headline = ledger.best(job)
    if headline is None:
        named = read.system.lacking
        for key in ("energy.headline", "carbon.operational", "carbon.total"):
            notes.null(key, lacking or (f"no energy is known: no power, and {named}" if named else NO_ENERGY))
    if ledger.has_facility:
        notes.cite("PUE", f"{site.pue.value:g} ({site.pue.scope})", site.pue.citation)
        if site.pue_warning:
            notes.warn(site.pue_warning)
    gpu_hours = read.system.allocated * duration_s / 3600.0 if read.system.allocated and duration_s else None
    stated = options.model
    sized_model = sized(stated, read.training)
    work = count_work(read.training, read.system.gpu_count, sized_model) if read.training else None
    divisible = read.training if read.mismatch is None else None
    grid = intensity(site, read.edges, _central_by_segment(ledger) if read.cuts else None, notes)
    if grid is None:
        notes.warn(f"carbon is not known: {NO_GRID}", grave=True)
    making = embodied(read.system, gpu_hours, notes)
    carbon_found = carbon(headline, grid, making, site, functional_unit(work if divisible else None, divisible), notes)
    invoice = bill(site, gpu_hours, notes, read.system.lacking)
    inside = ledger.best_inside(in_training)
    reference = find_reference(read.system, read.training, tables.measured_pairs(), lora=is_lora(read.training, stated))
    fastest = find_throughput(
        read.system, read.training, tables.throughputs(), notes, lora=is_lora(read.training, stated)
    )
    training_figure = ledger.best(in_training)
    powers = filling_w(read.gpus)
    gpus_j = [g.energy.read_j + w * g.energy.filled_s for g, w in zip(read.gpus, powers, strict=True)] if powers else []
    return a.Audit(
        tool=identity.tool,
        project=identity.project,
        run=_run(identity, read),
        hardware=read.system.hardware(),
        training=training_figures(read.training, work, read.time, read.system, read.mismatch, notes),
        windows=read.time.windows(),
        energy=a.Energy(
            levels=ledger.levels(job),
            headline=headline.headline() if headline else None,
            training=training_figure.headline() if training_figure else None,
            training_levels=ledger.levels(in_training) if training_figure else None,
            measured=ledger.measured(),
            residual=_residual(ledger, read, tables),
            phases=phase_energies(ledger, read.cuts, read.time),
            steps=step_energies(ledger, read.cuts, read.time) if read.mismatch is None else [],
            pue=pue_factor(site.pue).quantity("1", PUE_BASIS, site.pue.citation.source),
            drivers=drivers(headline.joules if headline else None),
        ),
        carbon=carbon_found,
        cost=invoice.cost,
        efficiency=structs.replace(
            efficiency(inside, read.training, work, reference, notes, read.mismatch), throughput_reference=fastest
        ),
        findings=[
            *_findings(ledger, read, work if divisible else None, reference if divisible else None, grid, invoice),
            *reported_energy(logs, ledger, read.cuts, read.time, read.training, notes),
        ],
        timeline=timeline(read.cuts, gpus_j, meters.energy_j if meters else None) if read.cuts else [],
        quality=quality(
            logs,
            read.gpus,
            duration_s,
            boards,
            meters,
            notes,
            headline.level if headline else None,
            tables,
            fit=ledger.fit_for_calibration,
        ),
        provenance=notes.provenance,
        calibration=ledger.grounded.calibration if ledger.grounded else None,
    )


def _read(
    logs: RunLogs, options: ModelOptions, tables: Tables, reducer: Reducer, notes: Notes, at: FloatArray | None
) -> _Read:
    telemetry, impossible = plausible(logs.telemetry, tables, notes)
    training = combine(logs.training, notes)
    nodes_stated = options.hardware.nodes if options.hardware is not None else None
    found = streams(dated(telemetry, training, notes), notes, nodes_stated)
    note_incidents(found, notes)
    marked = marked_training(found)
    if marked is not None:
        training = filled(training, marked) if training is not None else marked
    if training is not None:
        training = restated(training, options.model)
    logged = training
    time, training = run_time(found, logs.meters, training, marked, notes)
    system = describe_system(logs, found, training, options, tables, notes)
    if found and time.job is not None:
        check_one_run(found, time.job)
    elif training is not None and time.job is not None:
        check_one_log(training, time.job)
    apart = mismatch(recorded_span(found), logged, training, system.gpu_count) if found else None
    if apart is not None:
        notes.warn(f"energy per token, sample and step, MFU and SCI are not known: {apart}", grave=True)
    steps = [f.interval_s for s in found for f in s.files if f.interval_s]
    cuts = cut(time, max(steps, default=None), at) if time.job is not None else None
    nodes: tuple[NodeReading, ...] = ()
    if cuts is not None and found:
        focus = (time.training or time.job) if time.job else None
        window = (focus.start_s, focus.end_s) if focus else (float(cuts.edges[0]), float(cuts.edges[-1]))
        nodes = read_nodes(found, cuts.edges, window, reducer, notes)
    note_impossible(sum((node.impossible for node in nodes), impossible), notes)
    gpus = tuple(gpu for node in nodes for gpu in node.gpus)
    check_counters(gpus, notes)
    gpus = tuple(map(own_part, gpus))
    fields = sorted({f.power_field for s in found for f in s.files})
    if len(fields) > 1:
        notes.warn(f"the logs mix NVML power fields ({', '.join(fields)}): different quantities, added as read")
    return _Read(
        found, training, time, system, cuts, nodes, gpus, fields[0] if len(fields) == 1 else "unspecified", apart
    )


def _meters(logs: RunLogs, read: _Read, options: ModelOptions, notes: Notes) -> NodeMeters | None:
    if read.cuts is None:
        return None
    own = () if any(m.kind == "node" for m in logs.meters) else own_meters(read.nodes, read.cuts.edges)
    return node_meters((*logs.meters, *own), read.cuts.edges, options.meter_boundary, notes, read.system.nodes)


def _grounded(
    read: _Read,
    boards: BoardEnergy | None,
    seconds: FloatArray,
    options: ModelOptions,
    tables: Tables,
    notes: Notes,
) -> Grounded | None:
    if boards is not None:
        rapl = rapl_energy([node.rapl_j for node in read.nodes])
        return by_power(boards, read.system, seconds, rapl, read.power_field, options, tables, notes)
    if not read.time.duration_s:
        notes.null("energy.levels.L3", "nothing in the logs tells how long the run took")
        return None
    return by_utilisation(read.system, read.training, read.time.duration_s, seconds, tables, notes)


def _findings(
    ledger: Ledger,
    read: _Read,
    work: Work | None,
    reference: Reference | None,
    grid: Intensity | None,
    invoice: Bill,
) -> list[a.Finding]:
    if read.cuts is None:
        return []
    return findings(
        RunFacts(
            ledger=ledger,
            cuts=read.cuts,
            time=read.time,
            gpus=read.gpus,
            training=read.training if work is not None else None,
            work=work,
            reference=reference,
            intensity=grid.g_per_kwh if grid else None,
            usd_per_gpu_hour=invoice.usd_per_gpu_hour,
            streams=read.found,
        )
    )


def _central_by_segment(ledger: Ledger) -> FloatArray:
    """Return how the headline's energy lies over the segments (J, central values), for weighting an intensity."""
    if ledger.meter_complete and ledger.meters is not None:
        return ledger.meters.energy_j
    if ledger.boards is None:
        return ledger.seconds  # no reading tells when: evenly over the job
    line = ledger.grounded.calibration if ledger.grounded is not None else None
    if line is None or line.alpha is None or ledger.grounded is None:
        return ledger.boards.by_segment_j
    varying = line.alpha.value * ledger.boards.by_segment_j
    constant = ledger.grounded.joules(ledger.everything).value - float(varying.sum())
    spread: FloatArray = varying + constant * ledger.seconds / ledger.seconds.sum()
    return spread


def _run(identity: Identity, read: _Read) -> a.Run:
    job = read.time.job
    recorded = next((f.run_id for s in read.found for f in s.files if f.run_id), None)
    return a.Run(
        id=identity.run_id or recorded,
        commit=identity.commit,
        branch=identity.branch,
        started_at=iso(job.start_s) if job and is_date(job.start_s) else None,
        ended_at=iso(job.end_s) if job and is_date(job.start_s) else None,
        duration_s=read.time.duration_s,
    )


def _residual(ledger: Ledger, read: _Read, tables: Tables) -> a.Residual | None:
    """Return L3's residual; where its line has seen this system, also that of a line that has not."""
    if ledger.grounded is None:
        return None
    known = seen(ledger.grounded.fitted_on, read.system)
    workload = workload_of(read.training)
    this_group = any(
        same_system(p.system, read.system) and p.workload == workload and p.nodes == read.system.nodes
        for p in tables.measured_pairs()
    )
    meter = ledger.at("measured", Boundary.NODE, ledger.everything)
    held_out = None
    if known and meter is not None and meter.joules.value > 0 and read.time.duration_s:
        unseen = by_utilisation(
            read.system,
            read.training,
            read.time.duration_s,
            ledger.seconds,
            tables,
            Notes(),
            without=tuple(name for name in ledger.grounded.fitted_on if same_system(name, read.system)),
        )
        if unseen is not None:
            held_out = 100.0 * (unseen.joules(ledger.everything).value / meter.joules.value - 1.0)
    return residual(ledger, known, known and this_group, held_out)
