"""`iobench capacity`: how much a drive holds: space, wear, load within an SLO, and how many of them are needed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iobench.cli import options
from iobench.cli.holding import View, show_all, spaces_of
from iobench.cli.tables import clean
from iobench.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from iobench.analysis.capacity import Asked
    from iobench.cli.measure import Took
    from iobench.results import CampaignFolder


@click.command(cls=options.MeasuringCommand)
@click.option(
    "--slo", "slos", metavar="TEXT", multiple=True, help="Search the highest load that holds 'rand-read p99<1ms'."
)
@click.option("--by", type=click.Choice(("rate", "load")), default="rate", show_default=True, help="What is searched.")
@click.option(
    "--load", type=click.IntRange(1, 1024), metavar="N", help="Most outstanding, searching a rate.  [default: 64]"
)
@click.option("--most", metavar="N", help="The highest rate, per second, or load that is tried.")
@click.option(
    "--precision", metavar="PERCENT", default="1%", show_default=True, help="How near what fails comes to what holds."
)
@click.option("--no-confirm", is_flag=True, help="Do not confirm what was found with random arrivals.")
@click.option("--no-curve", is_flag=True, help="No further points for the curve of latency against throughput.")
@click.option(
    "--set",
    "settings",
    metavar="WORKLOAD.NAME=VALUE",
    multiple=True,
    help="A parameter of a workload, as oltp.tables=8.",
)
@click.option("--need", metavar="TEXT", help="How many drives: '20000 gets/s, 800 transactions/s, 300 GB'.")
@click.option(
    "--headroom", metavar="PERCENT", default="30%", show_default=True, help="What is kept free of everything."
)
@click.option("--prices", metavar="FILE", help="Prices of drives and space, in TOML; for --need.")
@click.option("--link", metavar="RATE", default="1Gbit/s", show_default=True, help="The link that all drives share.")
@click.option("--value-size", metavar="SIZE", default="4Ki", show_default=True, help="Bytes of a value on the link.")
@click.option("--page", metavar="TEXT", help="Requests of a page: 'oltp=3 kvs=20'; shows the pages done in time.")
@click.option("--page-time", metavar="TIME", default="5s", show_default=True, help="The time a page may take.")
@click.option(
    "--from", "sources", metavar="CAMPAIGN", multiple=True, help="Work it out from stored campaigns; measure nothing."
)
@options.lang_option
@options.measure_options
def capacity(**kwargs: Any) -> int:
    """Show how much drives hold: space, wear, load within an SLO, and how many are needed.

    Without --slo nothing is measured.
    """
    shared, own = options.split(kwargs)
    asked, view = _asked(own, shared), _view(own)
    if shared.repeats is not None:
        raise UsageError("--repeats: capacity tries a point as often as its search needs; leave it out")
    if asked.slos and own.get("sources"):
        raise UsageError("--slo measures and --from does not; give one of them")
    if asked.slos:
        return _measure(asked, shared, view)
    _nothing_to_search(own, shared)
    return _stored([str(name) for name in kwargs["sources"]], shared, view)


def _nothing_to_search(own: dict[str, Any], shared: options.MeasureOptions) -> None:
    """Raise UsageError for an option of a search where none is asked for: it would be ignored."""
    given = {
        "--by load": own["by"] == "load",
        "--load": own.get("load"),
        "--most": own.get("most"),
        "--set": own.get("settings"),
        "--duration": shared.duration,
        "--no-confirm": own.get("no_confirm"),
        "--no-curve": own.get("no_curve"),
    }
    if names := [name for name, value in given.items() if value]:
        raise UsageError(f"{names[0]} is for a search; say with --slo what is searched, as --slo 'rand-read p99<1ms'")


def _view(own: dict[str, Any]) -> View:
    """Return what is to be worked out. Raises UsageError."""
    from iobench import profiles
    from iobench.analysis import pages, sizing
    from iobench.analysis.loadpoints import WORKLOADS
    from iobench.units import option_read, parse_duration, parse_size

    headroom, page_s = (
        _share(own["headroom"], "--headroom"),
        option_read("--page-time", str(own["page_time"]), parse_duration),
    )
    if page_s <= 0:
        raise UsageError(f"--page-time {own['page_time']}: no page is done in that; give a time above 0, as 5s")
    prices = own.get("prices")
    if prices is not None and not own.get("need"):
        raise UsageError("--prices are for what --need says; give both")
    return View(
        lang=str(own["lang"]),
        needs=sizing.parse_need(own["need"]) if own.get("need") is not None else (),
        headroom=headroom,
        prices=sizing.parse_prices(profiles.load(Path(prices)), str(prices)) if prices is not None else None,
        link_bits=_link(own["link"]),
        value_bytes=option_read("--value-size", str(own["value_size"]), parse_size),
        page=pages.parse(own["page"], WORKLOADS) if own.get("page") is not None else {},
        page_s=page_s,
    )


def _link(text: str) -> float:
    match = re.fullmatch(
        r"([0-9]+(?:\.[0-9]+)?)\s*([kMGT]?)(?:bit|b)?(?:/s|ps)?", text.strip(), re.ASCII | re.IGNORECASE
    )
    bits = float(match[1]) * {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}[match[2].lower()] if match else 0.0
    if bits <= 0:
        raise UsageError(f"--link {text!r} is not a rate of a link; write it as 1Gbit/s")
    return bits


def _asked(own: dict[str, Any], shared: options.MeasureOptions) -> Asked:
    """Return what the searches are asked. Raises UsageError."""
    from iobench.analysis import capacity as analysis
    from iobench.analysis import slo
    from iobench.analysis.loadpoints import WORKLOADS
    from iobench.units import option_read, parse_duration

    slos = tuple(slo.parse(text, WORKLOADS) for text in own.get("slos", ()))
    if len({objective.text for objective in slos}) < len(slos):
        raise UsageError("--slo names an objective twice")
    precision = _share(own["precision"], "--precision")
    if not 0.001 <= precision <= 0.5:
        raise UsageError(f"--precision {own['precision']} is not between 0.1 % and 50 %")
    seconds = None if shared.duration is None else option_read("--duration", shared.duration, parse_duration)
    if seconds is not None and seconds <= 0:
        raise UsageError(f"--duration {shared.duration}: nothing is measured in that; give a time above 0, as 10s")
    if own["by"] == "load" and own.get("load"):
        raise UsageError(
            "--load is the most that may be outstanding where a rate is searched; with --by load give --most"
        )
    most = _most(own.get("most"))
    if own["by"] == "load" and most is not None and most != round(most):
        raise UsageError(f"--most {own['most']}: a load is a whole number; give one, as 64")
    settings = {"size": shared.size} if shared.size is not None else {}
    for text in own.get("settings", ()):
        name, sign, value = text.partition("=")
        if not sign or "." not in name:
            raise UsageError(f"--set {text!r} is not WORKLOAD.NAME=VALUE, as oltp.tables=8")
        settings[name] = value
    return analysis.Asked(
        slos=slos,
        by=own["by"],
        load=own.get("load") or analysis.LOAD,
        most=most,
        precision=precision,
        confirm=not own.get("no_confirm"),
        curve=not own.get("no_curve"),
        settings=settings,
        duration_s=seconds,
    )


def _share(text: str, option: str) -> float:
    from iobench.cli.compare import parse_share

    try:
        return parse_share(text)
    except UsageError:
        raise UsageError(f"{option} {text!r} is not a share below 100 %; write it as 30% or 0.3") from None


def _most(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value < 1e12:
        raise UsageError(f"--most {text!r} is not a rate per second or a load; write it as a number, as 20000")
    return value


def _measure(asked: Asked, shared: options.MeasureOptions, view: View) -> int:
    from iobench.campaign import assemble
    from iobench.campaign import capacity as campaigns
    from iobench.cli import measure
    from iobench.drives.passport import default_target, parse_targets
    from iobench.results import Store

    if shared.max_rate is not None:
        raise UsageError("a search of the highest load has no use for --max-rate; --most is the highest that is tried")
    from iobench.units import format_seconds

    targets = parse_targets(shared.targets) or [default_target()]
    measure.check_baseline(shared, [target.name for target in targets])
    if not shared.dry_run:
        measure.clean_before(targets, shared)
    store = Store(shared.results)
    assembled = assemble.assemble(campaigns.first_suite(asked), targets, {}, 1, store.ids())
    asked = campaigns.pinned(asked, [step.work for step in assembled.campaign.steps])
    assembled = dataclasses.replace(
        assembled, campaign=dataclasses.replace(assembled.campaign, director=asked.as_director())
    )
    for warning in assembled.warnings:
        click.echo(f"warning: {clean(warning)}", err=True)
    seconds = campaigns.guess_s(asked, len(targets)) + assembled.estimate.seconds
    searches = len(asked.slos) * len(targets)
    follow = "a search follows" if searches == 1 else f"{searches} searches follow"
    guess = f"{follow}, of about a dozen points each: about {format_seconds(seconds)} in all, a guess"
    if shared.dry_run:
        measure.show_plan(assembled, shared)
        click.echo(f"# {guess}", err=shared.as_json)
        return EXIT_OK
    measure.say(guess, shared)
    return measure.begin(assembled, store, shared, lambda folder, opts, took: conclude(folder, opts, took, view))


def _stored(sources: Sequence[str], shared: options.MeasureOptions, view: View) -> int:
    """Show space, and what stored campaigns say; nothing is measured."""
    from iobench.drives.passport import default_target, parse_targets
    from iobench.results import Store

    store = Store(shared.results)
    folders = [store.open(name) for name in sources]
    if shared.dry_run:
        click.echo("# nothing would be run or written: without --slo nothing is measured")
        return EXIT_OK
    targets = parse_targets(shared.targets) or ([] if folders else [default_target()])
    return show_all(folders, spaces_of(targets), shared, view)


def conclude(folder: CampaignFolder, shared: options.MeasureOptions, took: Took, view: View | None = None) -> int:
    """Show what a capacity campaign found; return 4 where a search has no answer, 1 where an SLO fails, else 0."""
    from iobench.campaign.failed import failures
    from iobench.cli.measure import say_failed

    targets = [passport.target for passport in folder.campaign().passports.values()]
    code = show_all([folder], spaces_of(targets), shared, view or View(), took)
    say_failed(folder, failures(folder))
    return code
