"""What a report says of the run in words: the line under the title, facts, the statement, how to repeat it."""

import shlex

from ecoaudit.model.audit import Audit, Window
from ecoaudit.model.hardware import UNNAMED
from ecoaudit.report import numbers, view, words


def run_line(audit: Audit) -> str:
    """Return the run in one line: hardware, duration, work done."""
    hardware, training = audit.hardware, audit.training
    parts = []
    if hardware.gpu_count:
        names = (f"{g.model}{f' ({numbers.percent(g.share)} of each)' if g.share else ''}" for g in hardware.gpus)
        models = ", ".join(dict.fromkeys(names)) or UNNAMED
        nodes = f" on {numbers.plural(hardware.nodes, 'node')}" if hardware.nodes else ""
        parts.append(f"{hardware.gpu_count:,} × {models}{nodes}")
    if audit.run.duration_s:
        parts.append(numbers.duration(audit.run.duration_s))
    if training.tokens:
        parts.append(f"{numbers.count(training.tokens)} tokens")
    elif training.samples:
        parts.append(f"{numbers.count(training.samples)} samples")
    elif training.steps:
        parts.append(numbers.plural(training.steps, "step"))
    return ", ".join(parts) or "hardware, duration and work are not known"


def run_facts(audit: Audit) -> list[tuple[str, str]]:
    """Return what is known of the run as (name, text); what is not known is left out."""
    run, hardware, training, windows = audit.run, audit.hardware, audit.training, audit.windows
    gpus = "; ".join(_gpu_group(audit, i) for i in range(len(hardware.gpus)))
    pairs: list[tuple[str, str | None]] = [
        ("Project", audit.project),
        ("Run", run.id),
        ("Commit", run.commit),
        ("Branch", run.branch),
        ("Started", _utc(run.started_at)),
        ("Ended", _utc(run.ended_at)),
        ("Job window", _window(windows.job)),
        ("Training window", _window(windows.training)),
        ("Nodes", f"{hardware.nodes:,}" if hardware.nodes else None),
        ("GPUs", gpus or (f"{hardware.gpu_count:,}" if hardware.gpu_count else None)),
        ("System", hardware.system),
        ("Cooling", hardware.cooling),
        ("Hardware known from", hardware.source),
        ("Framework", training.framework),
        ("Benchmark", training.benchmark),
        ("Parameters", numbers.count(training.params) if training.params else None),
        ("Number format", training.precision),
        ("Sequence length", f"{training.sequence_length:,}" if training.sequence_length else None),
        ("Global batch size", f"{training.global_batch_size:,}" if training.global_batch_size else None),
        ("Steps", f"{training.steps:,}" if training.steps else None),
        ("Tokens", numbers.count(training.tokens) if training.tokens else None),
        ("Samples", numbers.count(training.samples) if training.samples else None),
        ("Trained twice", _rework(audit)),
        ("Ended as", training.status),
    ]
    return [(name, text) for name, text in pairs if text]


def statement(audit: Audit) -> str:
    """Return the sentence that a person signs: figure, interval, boundary, method, and what is left out."""
    headline = audit.energy.headline
    if headline is None:
        return "The energy of this run is not known; no figure is stated."
    energy = numbers.show(headline.value).full()
    boundary = words.headline_label(headline)
    _, carbon, label = view.carbon_figure(audit)
    run, gpus = audit.run, audit.hardware.gpu_count
    subject = ["The run", run.id or "", f"of {audit.project}" if audit.project else ""]
    subject += [f"at commit {run.commit[:12]}" if run.commit else ""]
    subject += [f"on {numbers.plural(gpus, 'GPU')}" if gpus else ""]
    subject += [f"for {numbers.duration(run.duration_s)}" if run.duration_s else ""]
    who = " ".join(part for part in subject if part)
    text = f"{who} used {energy} of electricity ({boundary}; {headline.value.basis.value})"
    if carbon is None:
        return f"{text}. Its carbon is not known."
    basis = audit.carbon.intensity_basis
    intensity = f", grid intensity {basis}" if basis and basis != "as given" else ""
    included = label.split("; ", 1)[-1]
    return (
        f"{text} and caused {numbers.show(carbon).full()}, location-based{intensity}, {included}. "
        "Intervals are 90 %; embodied carbon, where included, is that of the GPU baseboards alone."
    )


def reproduce(audit: Audit) -> str:
    """Return the command that repeats this audit from the same logs with the same factors."""
    return " ".join(["ecoaudit audit LOGS...", shlex.join(audit.options)]).rstrip()


def _gpu_group(audit: Audit, index: int) -> str:
    group = audit.hardware.gpus[index]
    extra = [
        f"{name} {numbers.show(quantity).text()}"
        for name, quantity in (("TDP", group.tdp_w), ("limit", group.power_limit_w))
        if quantity is not None
    ]
    if group.share is not None:
        extra.insert(0, f"{numbers.percent(group.share)} of each")
    return f"{group.count:,} × {group.model}" + (f" ({', '.join(extra)})" if extra else "")


def _window(window: Window | None) -> str | None:
    if window is None or window.duration_s is None:
        return None
    return f"{numbers.duration(window.duration_s)}, {window.source}"


def _rework(audit: Audit) -> str | None:
    training = audit.training
    if not training.rework_steps:
        return None
    tokens = f", {numbers.count(training.rework_tokens)} tokens" if training.rework_tokens else ""
    return numbers.plural(training.rework_steps, "step") + tokens


def _utc(stamp: str | None) -> str | None:
    return stamp.replace("T", " ").replace("Z", " UTC").replace(".000", "") if stamp else None
