"""What run, suite and resume share: plan, estimate, go, compare, exit code."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import click

from iobench import SCHEMA_VERSION, proc
from iobench.campaign import prepare
from iobench.campaign.engine import Engine, failures
from iobench.campaign.events import Event, Observer
from iobench.campaign.plan import Suite
from iobench.campaign.prepare import Prepared
from iobench.campaign.site import Permission
from iobench.cli import progress
from iobench.cli.options import MeasureOptions
from iobench.cli.tables import clean
from iobench.drives.passport import default_target, parse_targets
from iobench.drives.workdir import find_leftovers, remove_leftover
from iobench.errors import EXIT_OK, EXIT_TOOL, EXIT_VERDICT, CannotRunError, ResultsError, UsageError, near_miss
from iobench.model import Campaign, Target
from iobench.results import CampaignFolder, Store
from iobench.units import format_bytes, format_seconds


def say(text: str, options: MeasureOptions) -> None:
    """Print a line for a person: on standard error where standard output is for JSON."""
    if not options.quiet:
        click.echo(clean(text), err=options.as_json)


def measure(suite: Suite, options: MeasureOptions) -> int:
    """Run a suite on the targets that were named; return the exit code."""
    targets = parse_targets(options.targets) or [default_target()]
    _check_baseline(options, [target.name for target in targets])
    if not options.dry_run:
        clean_before(targets, options)
    store = Store(options.results)
    prepared = prepare.prepare(
        suite, targets, options.overrides, options.repeats, store.ids(), probe=not options.dry_run
    )
    for warning in prepared.warnings:
        click.echo(f"warning: {clean(warning)}", err=True)
    if options.dry_run:
        _show_plan(prepared, options)
        return EXIT_OK
    _say_estimate(prepared, options)
    folder = _create(store, prepared.campaign)
    try:
        return go(prepared, folder, options)
    except (CannotRunError, ResultsError):
        # Refused before anything was run (a device in use, …): there is nothing to go on with.
        if not any((folder.path / "raw").iterdir()):
            store.remove(folder.id)
        raise


def _create(store: Store, campaign: Campaign) -> CampaignFolder:
    """Make a campaign's folder, or raise CannotRunError and leave nothing of it behind."""
    try:
        return store.create(campaign)
    except ResultsError as error:
        cause = error.__cause__
        if isinstance(cause, FileExistsError):
            raise CannotRunError(
                f"another iobench began the campaign {campaign.id} in this very second; measure one after the other"
            ) from error
        shutil.rmtree(store.root / campaign.id, ignore_errors=True)
        why = cause.strerror if isinstance(cause, OSError) else str(error)
        raise CannotRunError(
            f"the results folder {store.root} cannot be written ({why}), so nothing was measured; "
            "make room, or choose another with --results"
        ) from error


def _check_baseline(options: MeasureOptions, names: list[str]) -> None:
    if options.baseline is not None and options.baseline not in names:
        raise UsageError(f"--baseline {options.baseline!r} is no target here; {near_miss(options.baseline, names)}")


def clean_before(targets: list[Target], options: MeasureOptions) -> None:
    """Remove what a killed iobench left: programs that carry our mark, folders with our marker."""
    ended = proc.end_orphans()
    if ended:
        say(f"ended {ended} program(s) that a killed iobench had left running", options)
    for target in targets:
        for leftover in find_leftovers(target.path) if target.kind == "file" else ():
            remove_leftover(leftover)
            say(f"removed {leftover.path}, left by a killed iobench", options)


def _say_estimate(prepared: Prepared, options: MeasureOptions) -> None:
    campaign, estimate = prepared.campaign, prepared.estimate
    say(f"campaign {campaign.id}: {len(campaign.steps)} steps, about {format_seconds(estimate.seconds)}", options)
    for name, written in estimate.written.items():
        target = campaign.passports[name].target
        say(f"  {name}: {target.path}, up to {format_bytes(written)} will be written", options)
    for passport in campaign.passports.values():
        if passport.no_device_reason:
            say(f"  note: {passport.no_device_reason}", options)


def _show_plan(prepared: Prepared, options: MeasureOptions) -> None:
    lines = prepare.dry_run(prepared.campaign)
    estimate = prepared.estimate
    if options.as_json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "estimated_s": estimate.seconds,
            "written_bytes": dict(estimate.written),
            "steps": [
                {"step": step.id, "target": step.target, "repeat": step.repeat, "argv": list(argv)}
                for step, argv in lines
            ],
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
        return
    for step, argv in lines:
        click.echo(f"# {clean(step.id)} on {clean(step.target)}")
        click.echo(clean(shlex.join(argv)))
    click.echo(f"# {len(lines)} steps, about {format_seconds(estimate.seconds)}")
    for name, written in estimate.written.items():
        click.echo(f"# {clean(name)}: up to {format_bytes(written)} would be written")


def go(prepared: Prepared, folder: CampaignFolder, options: MeasureOptions) -> int:
    """Run a prepared campaign, show the comparison, and return the exit code."""
    permission = Permission(options.destroy_data, options.yes, _confirm if sys.stdin.isatty() else None)
    with ExitStack() as stack:
        observers = [stack.enter_context(o) if hasattr(o, "__enter__") else o for o in _observers(prepared, options)]

        def observe(event: Event) -> None:
            for observer in observers:
                observer(event)

        stop = stack.enter_context(_signals())
        Engine(prepared.campaign, folder, prepared.estimate, permission, stop, observe).run()
    return finish(folder, options)


def _observers(prepared: Prepared, options: MeasureOptions) -> list[Any]:
    found: list[Observer] = []
    if not options.quiet:
        found.append(progress.terminal(prepared.estimate) or progress.Lines(sys.stderr))
    if options.log_file is not None:
        found.append(progress.Log(options.log_file))
    return found


def _confirm(question: str) -> bool:
    return bool(click.prompt(f"{clean(question)} Type `yes` to go on", default="no", err=True) == "yes")


@contextmanager
def _signals() -> Iterator[proc.Stop]:
    """Turn the signals that ask us to end into a request that the engine looks at."""
    stop = proc.Stop()

    def handler(number: int, _: object) -> None:
        stop.set(number)

    before = {s: signal.signal(s, handler) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield stop
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def finish(folder: CampaignFolder, options: MeasureOptions) -> int:
    """Show what a campaign found; return 4 where a step gave no number, 1 for an invalid result, else 0."""
    from iobench.analysis.compare import compare
    from iobench.cli.compare import show, to_json

    failed = failures(folder)
    # Where no step gave a number there is nothing to compare, and the steps' own sentences are what counts.
    comparison = compare([folder], options.baseline) if folder.finished() else None
    rows = comparison.rows if comparison else ()
    invalid = any(e.verdict == "invalid" for row in rows for e in row.targets.values())
    if options.as_json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "campaign": folder.id,
            "path": str(folder.path),
            "failed": dict(failed),
            "comparison": to_json(comparison) if comparison else None,
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
    elif comparison and not options.quiet:
        show(comparison)
        click.echo(f"\nkept in {folder.path}; `iobench report {folder.id}` draws it")
    for step, sentence in failed.items():
        raw = folder.path / "raw" / step
        click.echo(clean(f"iobench: step {step} gave no number: {sentence}; its raw output is in {raw}"), err=True)
    if failed:
        click.echo(f"iobench: `iobench resume {folder.id}` tries what failed once more", err=True)
    return EXIT_TOOL if failed else EXIT_VERDICT if invalid else EXIT_OK
