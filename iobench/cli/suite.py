"""`iobench suite PROFILE`: a campaign from a profile."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from iobench.cli import options


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from iobench import profiles

    return [CompletionItem(name) for name in profiles.names("suites") if name.startswith(incomplete)]


@click.command(cls=options.MeasuringCommand)
@click.argument("profile", required=False, metavar="PROFILE", shell_complete=_complete)
@options.measure_options
def suite(profile: str | None, **kwargs: Any) -> int:
    """Run the campaign of PROFILE: `quick`, `deck`, or a path to a TOML file of your own."""
    from iobench.campaign.plan import load_suite
    from iobench.cli.measure import measure
    from iobench.errors import UsageError

    if profile is None:
        from iobench import profiles

        raise UsageError(f"a profile is needed: {', '.join(profiles.names('suites'))}, or a path to one")
    shared, _ = options.split(kwargs)
    return measure(load_suite(profile), shared)
