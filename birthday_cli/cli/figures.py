"""The command that tells the database's figures to Prometheus: metrics."""

from pathlib import Path
from typing import Annotated

import typer

from birthday_cli.cli import options, output, panels
from birthday_cli.cli.options import AsJson, DryRun


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(rich_help_panel=panels.LOOKING)(metrics)


def metrics(
    to: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Write it there, at once and readable."),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Print the database's figures for Prometheus, or write them for a textfile collector.

    A broker that is away is one of the figures; a database that is away too, and the exit code 3.

    Example: bdaysched metrics --output /var/lib/prometheus/node-exporter/bdaysched.prom
    """
    from birthday_cli.pipeline.looking.metrics import measure, write

    settings = options.settings()
    figures = measure(settings, options.clock(settings).now())
    if to and not dry_run:
        write(figures, to)
    if as_json:
        output.print_json(
            {
                "dry_run": dry_run,
                "output": str(to) if to else None,
                "samples": [
                    {"name": sample.name, "labels": sample.labels, "value": sample.value}
                    for family in figures.collect()
                    for sample in family.samples
                ],
            }
        )
    elif not to or dry_run:
        print(figures.text().decode(), end="")
    if figures.problem:
        raise figures.problem
