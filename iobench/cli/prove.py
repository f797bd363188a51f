"""`iobench run kvs --prove`: whether the load generator catches a server that stands still for a second."""

from __future__ import annotations

from collections.abc import Mapping

import click

from iobench import SCHEMA_VERSION, params, proc
from iobench.campaign import proof
from iobench.cli.options import MeasureOptions
from iobench.errors import EXIT_OK, EXIT_VERDICT, UsageError
from iobench.runners import kvs
from iobench.units import format_count, format_seconds, option_read, parse_duration


def prove(options: MeasureOptions, values: Mapping[str, object], stop: proc.Stop) -> int:
    """Stop a private server while it is measured; return 0 where the stall is in the figures, else 1."""
    if options.targets or options.endpoint or set(values) - {"rate"}:
        raise UsageError(
            "--prove works on a server of its own in memory; beside it only --rate and --duration are taken"
        )
    rate = params.build(kvs.Params, values, "run kvs").rate or proof.RATE
    duration = option_read("--duration", options.duration, parse_duration) if options.duration else proof.DURATION_S
    if duration < 3 * proof.STALL_S:
        raise UsageError(f"--prove needs at least {3 * proof.STALL_S:g}s; give a longer --duration")
    if not options.quiet:
        seconds = 2 * (duration + 3) + 5
        click.echo(f"stopping a private memcached for {proof.STALL_S:g} s, twice; about {seconds:.0f} s", err=True)
    found = proof.prove(stop, rate, duration)
    if options.as_json:
        click.echo(proof.as_json(found, SCHEMA_VERSION))
    elif not options.quiet:
        for line in _lines(found):
            click.echo(line)
    return EXIT_OK if found.caught else EXIT_VERDICT


def _lines(found: proof.Proof) -> list[str]:
    low, high = (format_seconds(bound) for bound in found.bounds)
    said = {
        f"at {format_count(found.rate)} requests/s, from when each was due": found.paced_p99,
        "the same requests, from when each was sent": found.paced_service_p99,
        "closed loop, where nothing is sent while it waits": found.closed_p99,
    }
    width = max(map(len, said))
    lines = [
        f"A server stood still for {format_seconds(found.stall_s)} of {format_seconds(found.duration_s)}. Latency p99:"
    ]
    lines += [f"  {text:<{width}}  {'not known' if p99 is None else format_seconds(p99)}" for text, p99 in said.items()]
    if found.caught:
        return [*lines, f"Caught: the first lies between {low} and {high}."]
    late = "not known" if found.lateness_p99 is None else format_seconds(found.lateness_p99)
    return [
        *lines,
        f"Not caught: the first had to lie between {low} and {high}. A busy machine delays the generator too "
        f"(its own lateness, p99: {late}); try again on a quiet one, or with a lower --rate.",
    ]
