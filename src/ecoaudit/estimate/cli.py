"""`ecoaudit estimate`: parses, calls, prints. Heavy imports happen inside the command."""

from typing import Any

import click

_METHODS = click.Choice(["full", "lora", "qlora"])
_FORMATS = click.Choice(["bf16", "fp16", "fp8", "fp4", "tf32", "fp32"])


@click.command()
@click.option("--model", help="A known model, e.g. llama2-7b: sets parameters, layers, sequence length and tokens.")
@click.option("--params", type=float, help="Parameters, e.g. 7e9.")
@click.option("--active-params", type=float, help="Parameters a token passes through (mixture of experts).")
@click.option("--layers", type=int, help="Layers, with --hidden-size: counts attention exactly.")
@click.option("--hidden-size", type=int, help="Hidden size.")
@click.option("--sequence-length", "--sequence", type=int, help="Tokens in a sequence.")
@click.option("--tokens", type=float, help="Tokens to train on, e.g. 2e12.")
@click.option("--samples", type=float, help="Samples to train on, in place of tokens: sequences of --sequence-length.")
@click.option("--method", type=_METHODS, default="full", show_default=True, help="What is trained.")
@click.option("--gpu", help='GPU, e.g. "H100 SXM" or "A100 SXM 80GB".')
@click.option("--gpus", type=int, help="Number of GPUs.")
@click.option("--node", help="Node type, e.g. dgx-h100 or aws:p5.48xlarge.")
@click.option("--gpus-per-node", type=int, help="GPUs in a node.")
@click.option("--precision", type=_FORMATS, default="bf16", show_default=True, help="Number format of the matrices.")
@click.option("--mfu", type=float, help="Model FLOPs utilisation on the dense peak, 0 to 1; else from published runs.")
@click.option("--hfu", type=float, help="Hardware FLOPs utilisation, recompute counted, in place of --mfu.")
@click.option("--recompute", type=click.Choice(["none", "selective", "full"]), default="none", show_default=True)
@click.option("--goodput", type=float, help="Share of paid GPU-time that trains (restarts, evaluation, checkpoints).")
@click.option("--region", help="Cloud region, e.g. aws:eu-north-1: sets grid intensity, PUE and price.")
@click.option("--zone", help="Grid zone, e.g. SE, DEU or US-VA.")
@click.option("--intensity", "intensity_g_per_kwh", type=float, help="Grid intensity, g CO₂e/kWh.")
@click.option(
    "--intensity-basis",
    type=click.Choice(["lifecycle", "direct", "marginal", "as given"]),
    default="as given",
    help="What --intensity is.",
)
@click.option("--pue", type=float, help="Power usage effectiveness of the site.")
@click.option("--price", "price_per_gpu_hour", type=float, help="Price of a GPU-hour, USD.")
@click.option("--host-power-w", type=float, help="Power of a node at the wall without its GPUs, W.")
@click.option("--cooling", type=click.Choice(["air", "liquid", "immersion"]), help="Cooling of the nodes.")
@click.option("--network-power-w", type=float, help="Power of the run's switches, W.")
@click.option("--sweep", multiple=True, metavar="KEY=A,B", help="Compare: gpu=H100 SXM,H200,region=aws:eu-north-1,...")
@click.option("--as-paper", is_flag=True, help="EcoCompute's Table 1 to the digit, and what it implies.")
@click.option("--validate", "as_validation", is_flag=True, help="Run the estimator over published runs (Markdown).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def estimate(sweep: tuple[str, ...], as_paper: bool, as_validation: bool, as_json: bool, **asked: Any) -> None:
    """Estimate time, energy, carbon and cost of a training run before it starts, each as a 90 % range."""
    from ecoaudit.reference import load

    tables = load()
    if as_paper:
        _paper(tables, as_json)
    elif as_validation:
        _validation(tables, as_json)
    elif sweep:
        _sweep(tables, sweep, as_json, asked)
    else:
        _one(tables, as_json, asked)


def _one(tables: Any, as_json: bool, asked: dict[str, Any]) -> None:
    from ecoaudit.estimate.engine import estimate as run_estimate
    from ecoaudit.estimate.request import EstimateRequest
    from ecoaudit.estimate.result import encode
    from ecoaudit.estimate.text import lines

    found = run_estimate(EstimateRequest(**_with_gpu(tables, asked)), tables)
    click.echo(encode(found) if as_json else "\n".join(lines(found)), nl=not as_json)


def _sweep(tables: Any, texts: tuple[str, ...], as_json: bool, asked: dict[str, Any]) -> None:
    import msgspec

    from ecoaudit.estimate import sweep
    from ecoaudit.estimate.request import EstimateRequest

    values = sweep.parse(texts)
    # The swept value replaces this one; a request cannot be without a GPU.
    filled = {**asked, "gpu": asked["gpu"] or values.get("gpu", [None])[0]}
    found = sweep.sweep(EstimateRequest(**_with_gpu(tables, filled)), values, tables)
    if as_json:
        rows = [{"swept": label, "estimate": one} for label, one in found]
        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2))
    else:
        click.echo("\n".join(sweep.lines(found)))


def _paper(tables: Any, as_json: bool) -> None:
    import msgspec

    from ecoaudit.estimate.paper import as_paper, paper_lines

    found = as_paper(tables)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        click.echo("\n".join(paper_lines(found)))


def _validation(tables: Any, as_json: bool) -> None:
    import msgspec

    from ecoaudit.estimate.mfu import default_model
    from ecoaudit.estimate.validate import validate
    from ecoaudit.estimate.validation_page import markdown

    found = validate(tables)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        click.echo(markdown(found, default_model(tables)), nl=False)


def _with_gpu(tables: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the request's fields; a node type names its GPU, else one must be given."""
    from ecoaudit.errors import EcoauditError

    if asked["gpu"] is None and asked["node"] is not None:
        asked = {**asked, "gpu": tables.node(asked["node"]).gpu}
    if asked["gpu"] is None:
        raise EcoauditError("the GPU is not given", where="--gpu", fix='name one, such as --gpu "H100 SXM"')
    return asked
