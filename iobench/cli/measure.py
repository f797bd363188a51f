"""What run, suite and resume share: plan, estimate, go, compare, exit code."""

from __future__ import annotations

import dataclasses
import errno
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import click

from iobench import SCHEMA_VERSION, proc
from iobench.campaign import assemble, dry_run, journal, needs, remains
from iobench.campaign import director as directors
from iobench.campaign.assemble import NOTHING_LEFT, Assembled
from iobench.campaign.director import Deadline
from iobench.campaign.engine import Engine
from iobench.campaign.events import Event, Observer
from iobench.campaign.failed import failure_code, failures
from iobench.campaign.limits import Limits
from iobench.campaign.limits import check as check_limits
from iobench.campaign.plan import Suite
from iobench.campaign.site import Permission, check_devices
from iobench.campaign.spending import spent
from iobench.cli import progress
from iobench.cli.document import echo_document
from iobench.cli.existing import endpoint_target, learn_passwords
from iobench.cli.options import MeasureOptions
from iobench.cli.signals import let_go_of_terminals, signals
from iobench.cli.tables import clean
from iobench.drives.leftovers import find_leftovers, remove_leftover, temporary_folders
from iobench.drives.passport import default_target, parse_targets
from iobench.errors import EXIT_OK, EXIT_TOOL, CannotRunError, ResultsError, UsageError, near_miss
from iobench.model import Campaign, Target
from iobench.results import CampaignFolder, Store
from iobench.texts import Phrase
from iobench.units import format_bytes, format_seconds

# No step ends after this share of the time that is given, nor in its last seconds.
ON_TIME, JUDGING_S = 0.96, 3.0


def say(text: str, options: MeasureOptions) -> None:
    """Print a line for a person: on standard error where standard output is for JSON."""
    if not options.quiet:
        click.echo(clean(text), err=options.as_json)


def measure(suite: Suite, options: MeasureOptions, scheme: str = "") -> int:
    """Run a suite on the targets that were named; return the exit code. `scheme` is that of a server's address."""
    limits = options.limits
    targets = parse_targets(options.targets)
    if options.endpoint is not None:
        targets.append(endpoint_target(options.endpoint, scheme, [target.name for target in targets]))
    if options.endpoint_secret is not None and not any(target.kind == "server" for target in targets):
        raise UsageError(f"{options.endpoint_secret} is for the password of a server, and none is named")
    targets = targets or [default_target()]
    check_baseline(options, [target.name for target in targets])
    if not options.dry_run:
        clean_before(targets, options)
    store = Store(options.results)
    assembled = assemble.assemble(suite, targets, options.overrides, options.repeats, store.ids())
    for warning in assembled.warnings:
        click.echo(f"warning: {clean(warning)}", err=True)
    if options.dry_run:
        show_plan(assembled, options)
        keep_to(limits, assembled)
        return EXIT_OK
    learn_passwords(targets, options.endpoint_secret)
    return begin(assembled, store, options)


def begin(assembled: Assembled, store: Store, options: MeasureOptions, show: Show | None = None) -> int:
    """Keep a new campaign, run it and show what it found; return the exit code."""
    limits = options.limits
    kept = dataclasses.replace(assembled.campaign, limits=limits.as_params())
    assembled = dataclasses.replace(assembled, campaign=kept)
    # Before a target is touched: that the results, and the log, can be written.
    folder = create(store, assembled.campaign)
    try:
        with progress.log(options.log_file) as log:
            assembled = assemble.probed(assembled)
            check_devices(assembled.campaign, options.destroy_data)
            say_estimate(assembled, options)
            keep_to(limits, assembled)
            return (show or finish)(folder, options, perform(assembled, folder, options, log))
    except (CannotRunError, ResultsError):
        # Refused before anything was run (a device in use, …): there is nothing to go on with.
        raw = folder.path / "raw"
        if raw.is_dir() and not any(raw.iterdir()):
            store.remove(folder.id)
        raise


def keep_to(
    limits: Limits,
    assembled: Assembled,
    spent: Mapping[str, int] = NOTHING_LEFT,
    left: Mapping[str, int] = NOTHING_LEFT,
) -> None:
    """Raise CannotRunError for a plan that would pass a limit.

    Before it was aborted `spent` bytes were written on each target, and files of `left` bytes are still there.
    """
    campaign = assembled.campaign
    needed = assembled.needed
    if needed is None:
        needed = needs.file_bytes([step.work for step in campaign.steps])
    passports = {name: assemble.with_room(p, left) for name, p in campaign.passports.items()}
    check_limits(limits, passports, needed, assembled.estimate, spent)


def go_on(folder: CampaignFolder, campaign: Campaign) -> Assembled:
    """Return a stored campaign ready to go on with, within the limits that it was begun with. Raises CannotRunError."""
    left = remains.left_bytes(folder, campaign)
    assembled = assemble.again(campaign, folder.finished(), left)
    keep_to(Limits.of(campaign), assembled, spent(assembled.campaign, folder.path), left)
    return assembled


def create(store: Store, campaign: Campaign) -> CampaignFolder:
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


def check_baseline(options: MeasureOptions, names: list[str]) -> None:
    """Raise UsageError, with the nearest name, for a baseline that is no target."""
    if options.baseline is not None and options.baseline not in names:
        raise UsageError(f"--baseline {options.baseline!r} is no target here; {near_miss(options.baseline, names)}")


def clean_before(targets: list[Target], options: MeasureOptions, but: Collection[str] = ()) -> None:
    """Remove what a killed iobench left: programs that carry our mark, folders with our marker but those at `but`."""
    ended = proc.end_orphans()
    if ended:
        say(f"ended {ended} program(s) that a killed iobench had left running", options)
    places = {*temporary_folders(), *(target.path for target in targets if target.kind == "file")}
    for leftover in (found for place in sorted(places) for found in find_leftovers(place)):
        if leftover.path not in but:
            remove_leftover(leftover)
            say(f"removed {leftover.path}, left by an iobench that was aborted", options)


def _steps(campaign: Campaign) -> str:
    count = len(campaign.steps)
    return f"{count} step{'' if count == 1 else 's'}"


def say_estimate(assembled: Assembled, options: MeasureOptions) -> None:
    """Say how long a campaign takes and what it writes."""
    campaign, estimate = assembled.campaign, assembled.estimate
    say(f"campaign {campaign.id}: {_steps(campaign)}, about {format_seconds(estimate.seconds)}", options)
    for name, written in estimate.written.items():
        target = campaign.passports[name].target
        say(f"  {name}: {target.path}, about {format_bytes(written)} will be written", options)
    if any(step.work.writes and step.work.duration_s is not None for step in campaign.steps):
        say("  (a write for a set time writes as much as the drive takes: that part is a guess)", options)
    for passport in campaign.passports.values():
        if passport.no_device_reason:
            say(f"  note: {passport.no_device_reason}", options)


def show_plan(assembled: Assembled, options: MeasureOptions) -> None:
    """Print every command that would run, and the bytes that would be written."""
    lines = dry_run.commands(assembled.campaign)
    estimate = assembled.estimate
    if options.as_json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "estimated_s": estimate.seconds,
            "written_bytes": dict(estimate.written),
            "setup": [{"what": n.what, "target": n.target, "argv": list(n.argv)} for n in lines if n.step is None],
            "steps": [
                {"step": n.step.id, "target": n.target, "repeat": n.step.repeat, "argv": list(n.argv)}
                for n in lines
                if n.step is not None
            ],
        }
        echo_document(document)
        return
    for line in lines:
        click.echo(f"# {clean(line.what)} on {clean(line.target)}")
        click.echo(clean(shlex.join(line.argv)))
    click.echo(f"# {_steps(assembled.campaign)}, about {format_seconds(estimate.seconds)}")
    for name, written in estimate.written.items():
        click.echo(f"# {clean(name)}: about {format_bytes(written)} would be written")
    if any(step.work.writes and step.work.duration_s is not None for step in assembled.campaign.steps):
        click.echo("# (a write for a set time writes as much as the drive takes: that part is a guess)")


def perform(assembled: Assembled, folder: CampaignFolder, options: MeasureOptions, log: Observer | None) -> Took:
    """Run a campaign to its end, also one that a director makes grow, and return how long it took."""
    permission = Permission(options.destroy_data, options.yes, _confirm if sys.stdin.isatty() else None)
    begin = time.monotonic()
    with ExitStack() as stack:
        observers: list[Observer] = [log] if log is not None else []
        if not options.quiet:
            bar = progress.terminal(assembled.estimate)
            observers.append(stack.enter_context(bar) if bar is not None else progress.Lines(sys.stderr))
        else:
            observers.append(progress.warn)

        def observe(event: Event) -> None:
            for observer in list(observers):
                try:
                    observer(event)
                except OSError as error:
                    # A reader who went away ends it, and so does a log that cannot be written, by an error of its own.
                    if options.log_file is None and isinstance(error, BrokenPipeError):
                        raise
                    observers.remove(observer)
                    let_go_of_terminals()
                    if options.log_file is None and error.errno == errno.EIO:
                        stop.set(signal.SIGHUP)

        stack.enter_context(folder.held())
        stop = stack.enter_context(signals(hangup=options.log_file is None))
        director = directors.of(assembled.campaign)
        left_s = within_s(assembled.campaign)
        if left_s is not None:
            # The time is the command's, its start included, and that of the runs before an abort.
            left_s = max(0.0, left_s - journal.spent_s(folder.path) - (time.monotonic() - options.began))
        deadline = Deadline.within(left_s)
        Engine(assembled.campaign, folder, assembled.estimate, permission, stop, observe, director, deadline).run()
    return Took(time.monotonic() - begin, assembled.estimate.seconds)


def within_s(campaign: Campaign) -> float | None:
    """Return the seconds that a directed campaign's runs may take together; None where they may take any."""
    seconds = (campaign.director or {}).get("within_s")
    # The last step may take a little longer than was thought, and the result is still to be judged.
    return min(ON_TIME * seconds, max(0.0, seconds - JUDGING_S)) if isinstance(seconds, int | float) else None


@dataclass(frozen=True, slots=True)
class Took:
    """How long a campaign took, and how long it was estimated to (seconds)."""

    seconds: float
    estimated: float


Show = Callable[[CampaignFolder, MeasureOptions, Took], int]


def _confirm(question: str) -> bool:
    # The handler of a running campaign only takes note of a Ctrl-C; a question is ended by it.
    noted = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return bool(click.prompt(f"{clean(question)} Type `yes` to go on", default="no", err=True) == "yes")
    finally:
        signal.signal(signal.SIGINT, noted)


def finish(folder: CampaignFolder, options: MeasureOptions, took: Took) -> int:
    """Show what a campaign found; return 4 (or 3) where a step gave no number, 1 for an invalid result, else 0."""
    from iobench.analysis import claims
    from iobench.analysis.compare import compare
    from iobench.cli.compare import DEFAULT_CLAIMS, exit_code, to_json
    from iobench.cli.screen import show

    failed, rules = failures(folder), claims.load(DEFAULT_CLAIMS)
    # Where no step gave a number there is nothing to compare, and the steps' own sentences are what counts.
    comparison = compare([folder], options.baseline, rules=rules) if folder.finished() else None
    if options.as_json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "campaign": folder.id,
            "path": str(folder.path),
            "took_s": took.seconds,
            "estimated_s": took.estimated,
            "failed": {step: str(why) for step, why in failed.items()},
            "comparison": to_json(comparison) if comparison else None,
        }
        echo_document(document)
    elif comparison and not options.quiet:
        show(dataclasses.replace(comparison, claims=()))  # `iobench compare` has them
        times = f"{format_seconds(took.seconds)} (estimated: {format_seconds(took.estimated)})"
        click.echo(f"\ntook {times}; kept in {folder.path}; `iobench report {folder.id}` draws it")
    if not options.as_json and not options.quiet:
        _say_steady(folder)
    say_failed(folder, failed)
    if failed:
        click.echo(f"iobench: `iobench resume {folder.id}` tries what failed once more", err=True)
        return failure_code(folder)
    return EXIT_TOOL if comparison is None else exit_code(comparison)


def say_failed(folder: CampaignFolder, failed: Mapping[str, Phrase]) -> None:
    """Say why steps gave no number, a sentence once, though it holds for many."""
    steps: dict[str, list[str]] = {}
    for step, why in failed.items():
        steps.setdefault(str(why), []).append(step)
    for sentence, (first, *others) in steps.items():
        which = f"steps {first} and {len(others)} more" if others else f"step {first}"
        whose = "the first one's" if others else "its"
        raw = f"{whose} raw output is in {folder.path / 'raw' / first}"
        click.echo(clean(f"iobench: {which} gave no number: {sentence}; {raw}"), err=True)


def _say_steady(folder: CampaignFolder) -> None:
    """Say whether steady state was reached, where that was asked."""
    campaign = folder.campaign()
    if (campaign.director or {}).get("name") != "steady":
        return
    from iobench.campaign.steadying import states_of
    from iobench.report.verdicts import steady_sentence
    from iobench.texts import Words

    for target, state in states_of(campaign, folder).items():
        click.echo(clean(steady_sentence(target, state, Words("en"))))
