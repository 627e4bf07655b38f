"""Options of the command line that several commands share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


class Folder(click.Path):
    """A folder to write into, which is asked for before any work; it need not be there yet."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value):  # an unset variable, say; it would mean the current folder
            self.fail("the name is empty; write . for the current folder", param, ctx)
        folder = Path(os.fsdecode(super().convert(value, param, ctx)))
        known = next((each for each in (folder, *folder.parents) if os.access(each, os.F_OK)), folder)
        if not os.access(known, os.W_OK | os.X_OK):
            self.fail(f"the folder '{known}' cannot be written; choose another", param, ctx)
        return folder


def site_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that override the configuration file."""
    options = [
        click.option("--config", "config_path", type=click.Path(path_type=Path), help="Configuration file."),
        click.option("--project", help="Name of the project, for comparing its runs."),
        click.option("--region", help="Cloud region, e.g. aws:eu-north-1: sets grid intensity, PUE and price."),
        click.option("--zone", help="Grid zone, e.g. SE, DEU or US-VA, where there is no cloud region."),
        click.option("--intensity", "intensity_g_per_kwh", type=float, help="Grid intensity, g CO₂e/kWh."),
        click.option(
            "--intensity-basis",
            type=click.Choice(["lifecycle", "direct", "marginal", "as given"]),
            help="What --intensity or the series is, or which one to ask a provider for; never mixed.",
        ),
        click.option(
            "--intensity-series",
            help="CSV of grid intensity over time (timestamp, g_per_kwh), weighted by the run's power.",
        ),
        click.option(
            "--grid-provider",
            help="Ask for the intensity over time: electricitymaps (token in ELECTRICITYMAPS_TOKEN), "
            "ukcarbonintensity, or a URL with {start} and {end}.",
        ),
        click.option(
            "--market-intensity",
            "market_intensity_g_per_kwh",
            type=float,
            help="Intensity of your electricity contract, g CO₂e/kWh: the market-based figure.",
        ),
        click.option("--pue", type=float, help="Power usage effectiveness of the site."),
        click.option("--price", "price_per_gpu_hour", type=float, help="Price of a GPU-hour, USD."),
        click.option("--gpu", "hardware_gpu", help='GPU that the run ran on, e.g. "H100 SXM", where no log tells.'),
        click.option("--gpus", "hardware_gpus", type=int, help="GPUs of the whole run, where no log tells."),
        click.option("--nodes", "hardware_nodes", type=int, help="Nodes that these GPUs were on."),
        click.option("--host-power-w", type=float, help="Power of a node at the wall without its GPUs, W."),
        click.option(
            "--node-gpus", "node_gpu_count", type=int, help="GPUs in a node, where the logs show only the run's share."
        ),
        click.option("--own-gpus", help="The run's GPUs where the logs hold others' too: indices (0-3,6) or UUIDs."),
        click.option("--cooling", type=click.Choice(["air", "liquid", "immersion"]), help="Cooling of the nodes."),
        click.option("--network-power-w", type=float, help="Power of the run's switches, W."),
        click.option("--meter-boundary", type=click.Choice(["ac", "dc"]), help="Side of the power supplies metered."),
        click.option("--calibration", help="File that `ecoaudit calibrate` fitted on your own node."),
        click.option("--timezone", help="Zone of logs in local time, e.g. Europe/Berlin."),
        click.option(
            "--model", "model_preset", help="Known model that was trained, e.g. llama2-7b: for FLOPs and MFU."
        ),
        click.option("--params", "model_params", type=float, help="Parameters of the trained model, e.g. 7e9."),
        click.option(
            "--active-params", "model_active_params", type=float, help="Parameters a token passes through (MoE)."
        ),
        click.option("--layers", "model_layers", type=int, help="Layers of the trained model."),
        click.option("--hidden-size", "model_hidden_size", type=int, help="Hidden size of the trained model."),
        click.option("--sequence-length", "model_sequence_length", type=int, help="Tokens of a sequence."),
        click.option("--method", "model_method", type=click.Choice(["full", "lora"]), help="Full training, or LoRA."),
        click.option("--precision", "model_precision", help="Number format of the matrix products, e.g. bf16 or fp8."),
    ]
    for option in reversed(options):
        command = option(command)
    return command
