"""Requests of every kind, drawn with a fixed seed: what the page's arithmetic is compared on."""

import math
import random
from typing import Any

from ecoaudit.errors import EcoauditError
from ecoaudit.estimate.engine import estimate
from ecoaudit.estimate.request import EstimateRequest
from ecoaudit.estimate.result import Estimate
from ecoaudit.reference import Tables

Request = dict[str, Any]


def answered(tables: Tables, count: int, seed: int = 20261124) -> list[tuple[Request, Estimate]]:
    """Return `count` requests that the engine answers, with its answers."""
    draw = random.Random(seed)
    found: list[tuple[Request, Estimate]] = []
    while len(found) < count:
        asked = _request(tables, draw)
        try:
            found.append((asked, estimate(EstimateRequest(**asked), tables)))
        except EcoauditError:
            continue
    return found


def requests(tables: Tables, count: int, seed: int) -> list[Request]:
    """Return the requests alone."""
    return [asked for asked, _ in answered(tables, count, seed)]


def _log(draw: random.Random, low: float, high: float) -> float:
    return float(f"{math.exp(draw.uniform(math.log(low), math.log(high))):.4g}")


def _request(tables: Tables, draw: random.Random) -> Request:
    asked: Request = {"gpu": draw.choice([gpu.name for gpu in tables.gpus()])}
    popular = ("NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB", "NVIDIA B200", "NVIDIA H200", "AMD Instinct MI300X")
    if draw.random() < 0.5:
        asked["gpu"] = draw.choice(popular)
    if draw.random() < 0.9:
        asked["gpus"] = draw.choice([1, 4, 8, 12, 64, 100, 512, 2048, 16384])
    _hardware(tables, draw, asked)
    _work(tables, draw, asked)
    _place(tables, draw, asked)
    speed = draw.random()
    if speed < 0.3:
        asked["mfu"] = round(draw.uniform(0.05, 0.7), 3)
    elif speed < 0.4:
        asked["hfu"] = round(draw.uniform(0.1, 0.7), 3)
    if draw.random() < 0.3:
        asked["goodput"] = round(draw.uniform(0.5, 1.0), 2)
    asked["precision"] = draw.choices(["bf16", "fp16", "fp8", "tf32", "fp32", "fp4"], [8, 2, 3, 1, 1, 1])[0]
    asked["recompute"] = draw.choice(["none", "none", "selective", "full"])
    return asked


def _hardware(tables: Tables, draw: random.Random, asked: Request) -> None:
    if draw.random() < 0.25:
        node = draw.choice(tables.nodes())
        asked["gpu"], asked["node"] = node.gpu, node.name
    elif draw.random() < 0.2:
        asked["gpus_per_node"] = draw.choice([1, 2, 4, 8])
    if draw.random() < 0.3:
        asked["cooling"] = draw.choice(["air", "liquid", "immersion"])
    if draw.random() < 0.25:
        asked["host_power_w"] = _log(draw, 100, 4000)
    if draw.random() < 0.25:
        asked["network_power_w"] = draw.choice([0.0, _log(draw, 100, 1e6)])


def _work(tables: Tables, draw: random.Random, asked: Request) -> None:
    preset = draw.choice(tables.models()) if draw.random() < 0.6 else None
    if preset:
        asked["model"] = preset.id
    if not preset or draw.random() < 0.15:
        asked["params"] = _log(draw, 5e7, 2e12)
        if draw.random() < 0.3:
            asked["active_params"] = asked["params"] * draw.choice([0.05, 0.25])
        if draw.random() < 0.4:
            asked["layers"], asked["hidden_size"] = draw.choice([(12, 768), (32, 4096), (96, 12288)])
    if draw.random() < 0.4:
        asked["sequence_length"] = draw.choice([512, 2048, 8192, 131072])
    if not (preset and preset.tokens) or draw.random() < 0.5:
        key = draw.choice(["tokens", "tokens", "samples"])
        asked[key] = _log(draw, 1e8, 2e13) if key == "tokens" else _log(draw, 1e3, 1e9)
    asked["method"] = draw.choices(["full", "lora", "qlora"], [4, 1, 1])[0]


def _place(tables: Tables, draw: random.Random, asked: Request) -> None:
    place = draw.random()
    if place < 0.6:
        asked["region"] = draw.choice(tables.regions()).key
    if place > 0.5 and draw.random() < 0.6:
        asked["zone"] = draw.choice(tables.zones()).zone
    if draw.random() < 0.15:
        asked["intensity_g_per_kwh"] = _log(draw, 5, 900)
        asked["intensity_basis"] = draw.choice(["lifecycle", "direct", "marginal", "as given"])
    if draw.random() < 0.25:
        asked["pue"] = round(draw.uniform(1.0, 2.0), 2)
    if draw.random() < 0.25:
        asked["price_per_gpu_hour"] = round(draw.uniform(0.2, 10.0), 2)
