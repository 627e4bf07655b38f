"""Realistic audits to draw and to read: one for each kind of run that a report must serve."""

import hashlib
import math

from ecoaudit.config import Budget
from ecoaudit.judge import judge
from ecoaudit.judge.verdict import Baseline, Verdict
from ecoaudit.model import audit as a
from ecoaudit.quantity import Basis, Boundary, Quantity

TOOL = "ecoaudit 0.1.0"


def q(value: float, low: float, high: float, unit: str, basis: str, source: str) -> Quantity:
    return Quantity(value=value, low=low, high=high, unit=unit, basis=Basis(basis), source=source)


def around(value: float, percent: float, unit: str, basis: str, source: str) -> Quantity:
    width = value * percent / 100
    return q(value, value - width, value + width, unit, basis, source)


def exact(value: float, unit: str, basis: str, source: str) -> Quantity:
    return Quantity.exact(value, unit, Basis(basis), source)


def llm_timeline(points: int = 360, duration_s: float = 3600.0) -> list[a.TimelinePoint]:
    """An hour of eight GPUs: start-up, training with two evaluations and a checkpoint, an idle tail."""
    timeline = []
    for i in range(points):
        t = i * duration_s / points
        wave = 18 * math.sin(t / 31) + 11 * math.sin(t / 7.3)
        if t < 120:
            phase, gpu = "compile", 155.0
        elif t > 3420:
            phase, gpu = "idle", 92.0
        elif 1500 <= t < 1620 or 2900 <= t < 3020:
            phase, gpu = "eval", 430.0
        elif 2300 <= t < 2345:
            phase, gpu = "checkpoint", 128.0
        else:
            phase, gpu = "train", 652.0
        mean = gpu + wave * gpu / 652
        timeline.append(
            a.TimelinePoint(
                t_s=t,
                gpu_w=8 * mean,
                gpu_min_w=mean - 24 - 0.02 * mean,
                gpu_max_w=mean + 19 + 0.02 * mean,
                node_w=1900 + 1.12 * 8 * mean,
                phase=phase,
            )
        )
    return timeline


def _course(training_j: float, tokens: float) -> list[a.StepEnergy]:
    """Return six equal stretches of steps; the fourth was computed again after a restart."""

    def stretch(i: int) -> a.StepEnergy:
        again, share = i == 3, 1 / 6
        energy = q(
            training_j * share / 3.6e6, training_j * share / 4e6, training_j * share / 3.2e6, "kWh", "modelled", "L3"
        )
        each = training_j / tokens * (1.0 + 0.02 * i)
        return a.StepEnergy(
            first_step=50 * i + 1 - 50 * (i > 3) - 50 * again,
            last_step=50 * i + 50 - 50 * (i > 3) - 50 * again,
            t_s=60.0 + 580.0 * i,
            duration_s=580.0,
            energy=energy,
            boundary=Boundary.NODE,
            tokens=None if again else tokens * share,
            j_per_token=None if again else q(each, each * 0.9, each * 1.1, "J/token", "modelled", "L3"),
            rework=again,
        )

    return [stretch(i) for i in range(6)]


def llm_run(
    *, commit: str = "9f2c1e07ab34d5e6f708192a3b4c5d6e7f809112", scale: float = 1.0, intensity_g: float = 268.0
) -> a.Audit:
    """An 8 x H100 fine-tuning hour with telemetry and a training log: L1, L2, L3, phases, findings."""
    gpu_kwh, node_kwh, pue = 4.62 * scale, 7.07 * scale, 1.15
    facility = q(node_kwh * pue, node_kwh * pue * 0.905, node_kwh * pue * 1.11, "kWh", "modelled", "equation (1), L3")
    operational = q(
        facility.value * intensity_g / 1000,
        facility.value * intensity_g / 1000 * 0.862,
        facility.value * intensity_g / 1000 * 1.15,
        "kgCO2e",
        "modelled",
        "L3 facility energy × grid intensity",
    )
    embodied = q(0.0300, 0.0250, 0.0624, "kgCO2e", "assumed", "NVIDIA HGX H100 product carbon footprint, 164 kg a GPU")
    total = q(
        operational.value + embodied.value,
        operational.low + 0.027,
        operational.high + 0.035,
        "kgCO2e",
        "modelled",
        "operational + embodied",
    )
    training_j = 6.78 * scale * 3.6e6 * pue / 1.15
    tokens = 61_440_000.0
    return a.Audit(
        tool=TOOL,
        project="llama-7b-sft",
        run=a.Run(
            id="run-20261123-1000",
            commit=commit,
            branch="longer-context",
            started_at="2026-11-23T10:00:00.000Z",
            ended_at="2026-11-23T11:00:00.000Z",
            duration_s=3600.0,
        ),
        hardware=a.Hardware(
            nodes=1,
            gpu_count=8,
            gpus=[
                a.GpuGroup(
                    model="NVIDIA H100 SXM 80GB",
                    count=8,
                    tdp_w=exact(700, "W", "assumed", "NVIDIA H100 datasheet, 2023"),
                    power_limit_w=exact(700, "W", "measured", "nvml enforced power limit"),
                )
            ],
            cooling="air",
            source="telemetry header",
            hosts=["trn-gpu-007.cluster.example"],
        ),
        training=a.Training(
            framework="Megatron-LM",
            steps=3000,
            tokens=tokens,
            params=6.738e9,
            flops=around(2.56e18, 1, "FLOP", "modelled", "6N + 6·L·h·s"),
            mfu=around(0.412, 2, "1", "modelled", "model FLOPs over the dense peak"),
            tokens_per_s=around(19_580, 0.4, "tokens/s", "measured", "training log"),
            precision="bf16",
            sequence_length=4096,
            global_batch_size=5,
            status="success",
            rework_steps=40,
            rework_tokens=819_200.0,
            phases=[
                a.TrainingPhase(name="train", duration_s=3015, count=4),
                a.TrainingPhase(name="eval", duration_s=240, count=2),
            ],
        ),
        windows=a.Windows(
            job=a.Window(
                start="2026-11-23T10:00:00.000Z", end="2026-11-23T11:00:00.000Z", duration_s=3600, source="recorder"
            ),
            training=a.Window(
                start="2026-11-23T10:02:00.000Z", end="2026-11-23T10:57:00.000Z", duration_s=3300, source="training log"
            ),
        ),
        energy=a.Energy(
            levels=a.Levels(
                L1=a.LevelEnergy(gpu=exact(5.60, "kWh", "assumed", "8 × 700 W × 1 h")),
                L2=a.LevelEnergy(gpu=around(gpu_kwh, 5.1, "kWh", "measured", "NVML energy counter")),
                L3=a.LevelEnergy(
                    node=q(node_kwh, node_kwh * 0.928, node_kwh * 1.085, "kWh", "modelled", "P_host + α · Σ P_gpu"),
                    facility=facility,
                ),
            ),
            headline=a.Headline(level="L3", boundary=Boundary.FACILITY, value=facility, label="facility, L3"),
            training=a.Headline(
                level="L3",
                boundary=Boundary.NODE,
                value=around(6.78 * scale, 8, "kWh", "modelled", "L3 over the training window"),
                label="node, L3",
            ),
            measured=a.MeasuredEnergy(gpu=around(gpu_kwh, 5.1, "kWh", "measured", "NVML energy counter")),
            steps=_course(training_j, tokens),
            phases=[
                a.PhaseEnergy(
                    name=name,
                    duration_s=seconds,
                    energy=around(kwh * scale, 5.1, "kWh", "measured", "NVML energy counter"),
                    boundary=Boundary.GPU,
                )
                for name, seconds, kwh in (
                    ("train", 3015, 4.34),
                    ("eval", 240, 0.229),
                    ("compile", 120, 0.0413),
                    ("checkpoint", 45, 0.0128),
                    ("idle", 180, 0.0368),
                )
            ],
            pue=q(1.15, 1.04, 1.27, "1", "assumed", "AWS sustainability report, provider average"),
            drivers=[
                a.Driver(name="PUE", share=0.44, source="provider average, ±10 %"),
                a.Driver(name="host power P_host", share=0.27, source="8-GPU H100 node, 1.9 kW (1.4–2.4)"),
                a.Driver(name="slope α", share=0.18, source="air cooling, 1.15 (1.05–1.30)"),
                a.Driver(name="GPU power gain", share=0.11, source="NVML accuracy, ±5 %, all boards alike"),
            ],
        ),
        carbon=a.Carbon(
            intensity=around(intensity_g, 10, "gCO2e/kWh", "assumed", "Ember, yearly electricity data, Virginia"),
            intensity_basis="lifecycle",
            zone="US-MIDA-PJM",
            region="aws:us-east-1",
            operational=operational,
            embodied=embodied,
            total=total,
            total_label="operational and embodied",
            sci=around(total.value / 61.44, 15, "kgCO2e/M tokens", "modelled", "ISO/IEC 21031"),
        ),
        cost=a.Cost(
            total=q(31.44, 25.0, 38.0, "USD", "assumed", "allocated GPU-hours × price"),
            per_gpu_hour=q(3.93, 3.13, 4.75, "USD", "assumed", "AWS p5.48xlarge on demand, us-east-1, 2026-10"),
            gpu_hours=exact(8.0, "GPU-h", "measured", "8 GPUs × 1 h"),
        ),
        efficiency=a.Efficiency(
            boundary=Boundary.NODE,
            j_per_token=around(training_j / tokens, 7.9, "J/token", "modelled", "training-window energy / tokens"),
            j_per_step=around(training_j / 3000, 7.9, "J/step", "modelled", "training-window energy / steps"),
            pj_per_flop=around(training_j / 2.56e18 * 1e12, 8, "pJ/FLOP", "modelled", "training-window energy / FLOPs"),
            reference=a.EfficiencyReference(
                name="Llama 2 70B LoRA, 8 × H100",
                format="bf16",
                pj_per_flop=around(1.56, 3, "pJ/FLOP", "measured", "MLPerf Training v4.1, node power logs"),
            ),
            ratio_to_reference=around(training_j / 2.56e18 * 1e12 / 1.56, 9, "1", "modelled", "this run / reference"),
        ),
        quality=a.Quality(
            samples=28_771,
            expected_samples=28_800,
            coverage=0.99899,
            gaps=[
                a.Gap(
                    where="trn-gpu-007.cluster.example GPU 3",
                    start="2026-11-23T10:41:07.000Z",
                    duration_s=29.0,
                    filled_by="counter",
                )
            ],
            gap_count=1,
            bad_lines=1,
            clock_steps=0,
            warnings=[
                "trn-gpu-007: the last line of telemetry.jsonl is torn and was left out (1 of 3,612 lines)",
                "PUE is the provider's average, not this site's: ±10 %",
                "network energy is not known and not included",
            ],
        ),
        findings=[
            a.Finding(
                id="idle-tail",
                title="Idle at the end of the job",
                severity="warning",
                evidence="180 s after the last step at 92 W a GPU",
                saving_kwh=around(0.16 * scale, 12, "kWh", "modelled", "idle node energy × PUE"),
                saving_kgco2e=around(0.043 * scale, 18, "kgCO2e", "modelled", "saving × intensity"),
                saving_usd=around(1.57, 20, "USD", "assumed", "0.4 GPU-h × price"),
                advice="End the job when training ends; upload checkpoints from a CPU machine.",
            ),
            a.Finding(
                id="rework",
                title="40 steps were trained twice",
                severity="info",
                evidence="steps 1,960 to 1,999 repeat after the restart at 10:36 UTC",
                saving_kwh=around(0.10 * scale, 10, "kWh", "modelled", "steps repeated × J/step"),
                saving_kgco2e=around(0.027 * scale, 18, "kgCO2e", "modelled", "saving × intensity"),
                saving_usd=around(0.35, 20, "USD", "assumed", "time repeated × price"),
                advice="Write a checkpoint every 20 steps: 45 s of checkpoint cost less than the steps lost.",
            ),
        ],
        timeline=llm_timeline(),
        provenance=[
            a.Provenance(
                what="Grid intensity US-MIDA-PJM, lifecycle",
                value="268 gCO2e/kWh",
                source="Ember, yearly electricity data",
                year="2025",
                licence="CC BY 4.0",
            ),
            a.Provenance(what="PUE", value="1.15", source="AWS sustainability report", year="2024"),
            a.Provenance(what="TDP H100 SXM", value="700 W", source="NVIDIA H100 datasheet", year="2023"),
            a.Provenance(
                what="Input telemetry.jsonl.gz",
                value="sha256 0f3c…9d21",
                source="/home/trainer/trn-gpu-007/telemetry.jsonl.gz",
            ),
        ],
        options=["--project", "llama-7b-sft", "--region", "aws:us-east-1"],
        calibration=a.Calibration(
            id="power/8xH100/air",
            driver="GPU power",
            alpha=q(1.15, 1.05, 1.30, "1", "assumed", "air-cooled node: fans and supply losses"),
            host_w=q(1900, 1400, 2400, "W", "assumed", "8-GPU H100 node without its GPUs"),
            source="judgement within physical limits",
        ),
    )


def llm_history(runs: int = 8) -> list[a.Audit]:
    """Earlier runs of the base branch, the oldest first."""
    factors = (1.052, 1.047, 1.061, 1.049, 1.055, 1.058, 1.050, 1.054)
    return [
        llm_run(commit=hashlib.sha1(str(i).encode(), usedforsecurity=False).hexdigest(), scale=f)
        for i, f in enumerate(factors[:runs])
    ]


def llm_verdict(*, carbon_max: float = 2.5) -> Verdict:
    history = llm_history()
    return judge(
        llm_run(),
        [
            Budget(metric="carbon_kg", max=carbon_max),
            Budget(metric="j_per_token", max_increase_percent=5, level="warn"),
        ],
        base=history[-1],
        history=history[:-1],
        baseline=Baseline(
            source="check run of the base commit",
            commit=history[-1].run.commit,
            age_s=2.2 * 86400,
            distance=0,
            runs=len(history),
        ),
    )


def mlperf_run() -> a.Audit:
    """A published eight-node submission: node meters at the wall, no GPU power, no budget."""
    node = q(31.52, 31.2, 31.84, "kWh", "measured", "node meters, trapezoid over the window")
    facility = q(36.25, 32.8, 39.9, "kWh", "modelled", "(node + network) × PUE")
    operational = q(9.71, 8.42, 11.05, "kgCO2e", "modelled", "facility energy × grid intensity")
    timeline = [
        a.TimelinePoint(t_s=i * 6.0, node_w=64_000 + 2600 * math.sin(i / 3.1) - (24_000 if i % 37 == 0 else 0))
        for i in range(290)
    ]
    return a.Audit(
        tool=TOOL,
        project=None,
        run=a.Run(id="result_3", started_at="2024-10-02T03:12:00.000Z", duration_s=1738.0),
        hardware=a.Hardware(
            nodes=8,
            gpu_count=64,
            gpus=[
                a.GpuGroup(
                    model="NVIDIA H100 SXM 80GB",
                    count=64,
                    tdp_w=exact(700, "W", "assumed", "NVIDIA H100 datasheet, 2023"),
                )
            ],
            system="XE9680x8H100-SXM-80GB",
            cooling="air",
            source="submission_platform",
        ),
        training=a.Training(
            framework="MLPerf",
            benchmark="llama2_70b_lora",
            samples=3072.0,
            params=70e9,
            precision="fp8",
            status="success",
        ),
        windows=a.Windows(
            job=a.Window(duration_s=1738.0, source="run_start to run_stop"),
            training=a.Window(duration_s=1738.0, source="run_start to run_stop"),
        ),
        energy=a.Energy(
            levels=a.Levels(
                L1=a.LevelEnergy(gpu=exact(21.63, "kWh", "assumed", "64 × 700 W × 0.483 h")),
                L3=a.LevelEnergy(
                    node=q(32.9, 28.1, 37.4, "kWh", "modelled", "P_static + α · N · TDP · u"),
                    facility=q(37.8, 31.0, 44.6, "kWh", "modelled", "node × PUE"),
                ),
            ),
            headline=a.Headline(
                level="measured", boundary=Boundary.FACILITY, value=facility, label="facility, measured"
            ),
            training=a.Headline(level="measured", boundary=Boundary.NODE, value=node, label="node, measured"),
            measured=a.MeasuredEnergy(
                node=node,
                network=exact(0.334, "kWh", "measured", "switch meter"),
                facility=facility,
            ),
            residual=a.Residual(
                level="L3", percent=4.4, coefficient_seen="this system", held_out_percent=7.9, note="u assumed 0.75"
            ),
            pue=q(1.138, 1.03, 1.25, "1", "assumed", "AWS sustainability report, provider average"),
            drivers=[
                a.Driver(name="PUE", share=0.93, source="provider average"),
                a.Driver(name="meter", share=0.07, source="±1 %"),
            ],
        ),
        carbon=a.Carbon(
            intensity=around(268, 10, "gCO2e/kWh", "assumed", "Ember, yearly electricity data"),
            intensity_basis="lifecycle",
            zone="US-MIDA-PJM",
            region="aws:us-east-1",
            operational=operational,
            embodied=q(0.116, 0.0966, 0.241, "kgCO2e", "assumed", "NVIDIA HGX H100 product carbon footprint"),
            total=q(9.83, 8.54, 11.2, "kgCO2e", "modelled", "operational + embodied"),
            total_label="operational and embodied",
        ),
        cost=a.Cost(
            total=q(121.4, 96.7, 146.8, "USD", "assumed", "allocated GPU-hours × price"),
            per_gpu_hour=q(3.93, 3.13, 4.75, "USD", "assumed", "AWS p5.48xlarge on demand"),
            gpu_hours=exact(30.897, "GPU-h", "measured", "64 GPUs × 1,738 s"),
        ),
        efficiency=a.Efficiency(
            boundary=Boundary.NODE,
            j_per_sample=around(36_940, 1, "J/sample", "measured", "training-window energy / samples"),
        ),
        quality=a.Quality(
            samples=13_900,
            expected_samples=13_904,
            coverage=0.9997,
            fit_for_calibration=False,
            warnings=[
                "node 5 and node 6 read the same trace: shares of one rack channel, both counted",
                "GPU utilisation is not logged: u is assumed 0.75 (0.5–1.0)",
            ],
            unknown={
                "energy.levels.L2": "the logs carry no GPU power",
                "efficiency.j_per_token": "tokens are not logged",
            },
        ),
        timeline=timeline,
        provenance=[
            a.Provenance(
                what="Node power",
                value="8 logs",
                source="MLPerf Training v4.1 results",
                year="2024",
                licence="Apache-2.0",
            )
        ],
        calibration=a.Calibration(
            id="utilisation/8xH100",
            driver="throughput",
            source="MLPerf node power, fitted",
            alpha=around(0.796, 5.4, "1", "calibrated", "ten (system, workload) pairs"),
            static_w=around(3200, 12, "W", "calibrated", "ten (system, workload) pairs"),
        ),
    )


def csv_run() -> a.Audit:
    """A four-GPU workstation with an nvidia-smi log and nothing else: L2 alone, a lower bound."""
    gpu = q(2.913, 2.81, 3.15, "kWh", "measured", "trapezoid of nvidia-smi power.draw")
    operational = q(0.0583, 0.0527, 0.0664, "kgCO2e", "modelled", "L2 energy × grid intensity")
    return a.Audit(
        tool=TOOL,
        project="vit-small",
        run=a.Run(started_at="2026-10-01T20:00:00.000Z", duration_s=7206.0),
        hardware=a.Hardware(
            nodes=1,
            gpu_count=4,
            gpus=[a.GpuGroup(model="NVIDIA RTX A6000", count=4, tdp_w=exact(300, "W", "assumed", "NVIDIA datasheet"))],
        ),
        training=a.Training(),
        windows=a.Windows(job=a.Window(duration_s=7206.0, source="first to last sample")),
        energy=a.Energy(
            levels=a.Levels(
                L1=a.LevelEnergy(gpu=exact(2.402, "kWh", "assumed", "4 × 300 W × 2 h")), L2=a.LevelEnergy(gpu=gpu)
            ),
            headline=a.Headline(level="L2", boundary=Boundary.GPU, value=gpu, label="GPU boards only, lower bound"),
            drivers=[a.Driver(name="GPU power gain", share=1.0, source="NVML accuracy on Ampere, −3…+8 %")],
        ),
        carbon=a.Carbon(
            intensity=around(20, 10, "gCO2e/kWh", "assumed", "as given"),
            intensity_basis="as given",
            operational=operational,
            total=operational,
            total_label="operational only",
        ),
        cost=a.Cost(gpu_hours=exact(8.007, "GPU-h", "measured", "4 GPUs × 2.002 h")),
        efficiency=a.Efficiency(),
        quality=a.Quality(
            samples=28_824,
            expected_samples=28_824,
            coverage=1.0,
            warnings=["no training log: both windows are the whole file, 6.2 % of it idle"],
            unknown={
                "energy.levels.L3": "node power is not known for a 4-GPU workstation; give --host-power-w or calibrate",
                "carbon.embodied": "no published footprint of NVIDIA RTX A6000",
                "cost": "no price for NVIDIA RTX A6000; give price_per_gpu_hour",
                "efficiency.j_per_token": "no training log was given",
            },
        ),
        timeline=[
            a.TimelinePoint(t_s=i * 30.0, gpu_w=1140 + 60 * math.sin(i / 5) if i > 8 else 84.0) for i in range(240)
        ],
    )


def broken_run() -> a.Audit:
    """A log that was cut after its header: nothing but names is known."""
    return a.Audit(
        tool=TOOL,
        project="nightly|bench",
        run=a.Run(),
        hardware=a.Hardware(),
        training=a.Training(),
        windows=a.Windows(),
        energy=a.Energy(levels=a.Levels()),
        carbon=a.Carbon(),
        cost=a.Cost(),
        efficiency=a.Efficiency(),
        quality=a.Quality(
            samples=0, bad_lines=12, warnings=["telemetry.jsonl holds a header and no sample: energy is not known"]
        ),
    )


def pairs() -> dict[str, tuple[a.Audit, Verdict]]:
    """Every example with the verdict it gets."""
    return {
        "llm": (llm_run(), llm_verdict()),
        "llm-over": (llm_run(scale=1.3), judge(llm_run(scale=1.3), [Budget(metric="carbon_kg", max=2.0)])),
        "mlperf": (mlperf_run(), judge(mlperf_run())),
        "csv": (csv_run(), judge(csv_run(), [Budget(metric="carbon_kg", max=0.1)])),
        "broken": (broken_run(), judge(broken_run(), [Budget(metric="energy_kwh", max=1.0)])),
    }
