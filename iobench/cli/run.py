"""`iobench run WORKLOAD`: one workload family, its options made from its parameters."""

from __future__ import annotations

from typing import Any

import click

from iobench import params, runners
from iobench.campaign.plan import Request, Suite
from iobench.cli import options
from iobench.errors import near_miss

ROUNDS = 5


class WorkloadGroup(options.WholeGroup):
    """A group with a command for each registered runner."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the runners' names."""
        return list(runners.registry())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Build the command of a runner."""
        runner = runners.registry().get(cmd_name)
        return _command(runner) if runner else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest workload for an unknown one."""
        known = runners.registry()
        if args and args[0] not in known and not args[0].startswith("-"):
            raise click.UsageError(f"unknown workload {args[0]!r}; {near_miss(args[0], known)}", ctx)
        return super().resolve_command(ctx, args)


@click.command(cls=WorkloadGroup)
def run() -> None:
    """Run one workload on one or more targets."""


def _command(runner: runners.Runner) -> click.Command:
    address: runners.Address | None = getattr(runner, "ENDPOINT", None)

    @options.measure_options
    def callback(**kwargs: Any) -> int:
        from iobench.cli.measure import measure

        proving = kwargs.pop("prove", False)
        shared, values = options.split(kwargs)
        if proving:
            from iobench.cli.prove import prove
            from iobench.cli.signals import signals

            with signals() as stop:
                return prove(shared, values, stop)
        request = Request(runner.NAME, values, f"run {runner.NAME}")
        scheme = address.scheme if address else ""
        return measure(Suite(None, f"run {runner.NAME}", ROUNDS, (request,)), shared, scheme)

    # What the workload itself declares stands before what it shares with others.
    described = sorted(params.describe(runner.Params), key=lambda p: p.name not in runner.Params.__annotations__)
    own = [options.from_param(p) for p in described if p.name not in ("duration", "size", "max_rate")]
    summary = f"{runner.SUMMARY[0].upper()}{runner.SUMMARY[1:]}."
    command = click.command(name=runner.NAME, help=summary, cls=options.MeasuringCommand)(callback)
    there = options.endpoint_options(address)
    proofs = [click.Option(["--prove"], is_flag=True, help=runner.PROVES)] if hasattr(runner, "PROVES") else []
    command.params = [*own, *there, *proofs, *command.params]
    return command
