"""`ecoaudit calculator`: parses, calls, writes. Heavy imports happen inside the command."""

from pathlib import Path

import click

from ecoaudit.options import Folder


@click.command()
@click.option("-o", "--output", type=Folder(), required=True, help="Folder for the site; created if needed.")
def calculator(output: Path) -> None:
    """Write the calculator page: a static site that works from a file and from GitHub Pages, without any request."""
    from ecoaudit.calculator.build import site
    from ecoaudit.errors import EcoauditError
    from ecoaudit.reference import load

    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, content in site(load()).items():
            (output / name).write_bytes(content)
    except OSError as error:
        raise EcoauditError(f"cannot write the site: {error.strerror}", where=str(output)) from error
    click.echo(f"wrote {output / 'index.html'}: open it in a browser, or publish the folder")
