"""`iobench capacity`: how much a drive holds: space, wear, load within an SLO, and how many of them are needed."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iobench import SCHEMA_VERSION
from iobench.cli import options
from iobench.cli.tables import Column, clean, print_table
from iobench.errors import EXIT_OK, EXIT_TOOL, EXIT_UNDECIDED, EXIT_VERDICT, UsageError
from iobench.texts import Told, Words

if TYPE_CHECKING:
    from iobench.analysis.capacity import Asked, Judged, Result
    from iobench.analysis.pages import PageLoad
    from iobench.analysis.sizing import Capability, Need, Prices, Sizing
    from iobench.analysis.space import Space, Wear
    from iobench.cli.measure import Took
    from iobench.model import Target
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


@dataclass(frozen=True, slots=True)
class View:
    """How what was found is shown, and what is worked out of it."""

    lang: str = "en"
    needs: tuple[Need, ...] = ()
    headroom: float = 0.3
    prices: Prices | None = None
    link_bits: float = 1e9
    value_bytes: int = 4096
    page: Mapping[str, int] = field(default_factory=dict)
    page_s: float = 5.0


def _view(own: dict[str, Any]) -> View:
    """Return what is to be worked out. Raises UsageError."""
    from iobench import profiles
    from iobench.analysis import pages, sizing
    from iobench.analysis.loadpoints import WORKLOADS
    from iobench.units import parse_duration, parse_size

    headroom, page_s = _share(own["headroom"], "--headroom"), parse_duration(own["page_time"])
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
        value_bytes=parse_size(own["value_size"]),
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
    from iobench.units import parse_duration

    slos = tuple(slo.parse(text, WORKLOADS) for text in own.get("slos", ()))
    if len({objective.text for objective in slos}) < len(slos):
        raise UsageError("--slo names an objective twice")
    precision = _share(own["precision"], "--precision")
    if not 0.001 <= precision <= 0.5:
        raise UsageError(f"--precision {own['precision']} is not between 0.1 % and 50 %")
    seconds = None if shared.duration is None else parse_duration(shared.duration)
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
    return _show_all(folders, _spaces(targets), shared, view)


def conclude(folder: CampaignFolder, shared: options.MeasureOptions, took: Took, view: View | None = None) -> int:
    """Show what a capacity campaign found; return 4 where a search has no answer, 1 where an SLO fails, else 0."""
    from iobench.campaign.failed import failures
    from iobench.cli.measure import say_failed

    targets = [passport.target for passport in folder.campaign().passports.values()]
    code = _show_all([folder], _spaces(targets), shared, view or View(), took)
    say_failed(folder, failures(folder))
    return code


@dataclass(frozen=True, slots=True)
class Held:
    """A drive's space and wear, with notes on what is not known."""

    space: Space
    wear: Wear
    notes: tuple[Told, ...]


def _spaces(targets: Sequence[Target]) -> dict[str, Held]:
    """Return the space of targets by name."""
    from iobench.analysis import space
    from iobench.drives import room
    from iobench.drives.passport import passport

    found: dict[str, Held] = {}
    for own in room.of_all([passport(target) for target in targets if target.kind != "server"]):
        device, fs, health = own.passport.device, own.filesystem, own.health
        formatted = health.formatted_bytes or (device.size_bytes if device else None)
        where = space.Space(
            physical=health.physical_bytes,
            formatted=formatted,
            filesystem=fs.total if fs else None,
            reserved=fs.reserved if fs else None,
            used=fs.used if fs else None,
            free=fs.free if fs else None,
        )
        hours = None if health.power_on_hours is None else health.power_on_hours * 3600
        worn = space.wear(health.used_share, health.written_bytes, hours, own.written, own.seconds)
        found[own.passport.target.name] = Held(where, worn, own.notes)
    return found


def _show_all(
    folders: Sequence[CampaignFolder],
    spaces: Mapping[str, Held],
    shared: options.MeasureOptions,
    view: View,
    took: Took | None = None,
) -> int:
    from iobench.analysis import capacity as analysis
    from iobench.analysis.able import able
    from iobench.analysis.search import End

    found = [result for folder in folders for result in analysis.results(folder)]
    drives = able(folders) if view.needs or view.page else {}
    sizings = _sizings(view, {name: own.kinds for name, own in drives.items()}, spaces, folders)
    # Of a drive that is only named nothing was measured: that is said of it.
    pages = _pages(view, {name: drives[name].loads if name in drives else {} for name in (*drives, *spaces)})
    if shared.as_json:
        document: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
        if took is not None:
            document |= _campaign_json(folders[0], took)
        document |= {
            "space": {name: _held_json(held) for name, held in spaces.items()},
            "searches": [search_json(result) for result in found],
            "sizing": [_sizing_json(sizing) for sizing in sizings],
            "pages": {name: [dataclasses.asdict(load) for load in loads] for name, loads in pages.items()},
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
    elif not shared.quiet:
        words = Words(view.lang)
        _show_space(spaces, words)
        for result in found:
            show(result, words)
        _show_sizing(sizings, view, words)
        _show_pages(pages, view, words)
        if took is not None:
            where = words("capacity.kept", folder=folders[0].path, campaign=folders[0].id)
            click.echo(f"\n{clean(where)}")
    if took is not None and any(result.end is End.OPEN for result in found):
        return EXIT_TOOL
    ends = {result.end for result in found}
    return EXIT_VERDICT if End.FAILS_AT_LOWEST in ends else EXIT_UNDECIDED if End.UNDECIDED in ends else EXIT_OK


def _campaign_json(folder: CampaignFolder, took: Took) -> dict[str, Any]:
    from iobench.campaign.failed import failures

    failed = dict(failures(folder))
    return {"campaign": folder.id, "path": str(folder.path), "took_s": took.seconds, "failed": failed}


def _sizings(
    view: View,
    kinds: Mapping[str, Mapping[str, Capability]],
    spaces: Mapping[str, Held],
    folders: Sequence[CampaignFolder],
) -> list[Sizing]:
    """Return the sizing of each drive that is known, what it has room for taken from here or from its campaign."""
    from iobench.analysis import sizing

    if not view.needs:
        return []
    rooms = {name: held.space.for_data for name, held in spaces.items()}
    for folder in folders:
        for name, passport in folder.campaign().passports.items():
            rooms.setdefault(name, passport.total_bytes or (passport.device.size_bytes if passport.device else None))
    found = []
    for name in dict.fromkeys((*kinds, *spaces)):
        own, space = dict(kinds.get(name, {})), rooms.get(name)
        if space is not None:
            own["space"] = sizing.Capability(space, "")
        one = sizing.size(name, view.needs, own, view.headroom, view.link_bits, view.value_bytes)
        if view.prices is not None:
            one = dataclasses.replace(one, cost=sizing.cost(view.prices, one, _needed_space(view)))
        found.append(one)
    return found


def _needed_space(view: View) -> float | None:
    return next((need.amount for need in view.needs if need.kind == "space"), None)


def _pages(view: View, loads: Mapping[str, Mapping[str, Sequence[Any]]]) -> dict[str, list[PageLoad]]:
    from iobench.analysis import pages

    return {name: pages.shares(view.page, own, view.page_s) for name, own in loads.items()} if view.page else {}


# --- what is printed -----------------------------------------------------------------------------------


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], drop: Sequence[int], cut: int | None = None) -> None:
    """Print a table of drives; where it is too wide, `cut` shrinks and the columns `drop` go, first to last."""
    order = {column: len(drop) - place for place, column in enumerate(drop)}
    # What no row tells of goes before all others.
    order |= {i: len(drop) + 1 for i in order if all(row[i] == "–" for row in rows)}
    columns = [Column(head, order.get(i, 0), right=i > 0, shrinks=i == cut) for i, head in enumerate(heads)]
    print_table(columns, rows)


def _show_space(spaces: Mapping[str, Held], words: Words) -> None:
    from iobench.report import holding

    if not spaces:
        return
    click.echo(words("capacity.space"))
    rows = [holding.space_row(name, held.space, held.wear, words) for name, held in spaces.items()]
    _table(holding.space_heads(words), rows, drop=(1, 7, 2, 4, 8, 3))
    for name, held in spaces.items():
        click.echo(clean(holding.wear_sentence(name, held.wear, held.notes, words)))


def _show_sizing(sizings: Sequence[Sizing], view: View, words: Words) -> None:
    from iobench.report import holding

    if not sizings:
        return
    priced = view.prices is not None
    click.echo(f"\n{clean(holding.needs_title(view.needs, view.headroom, words))}")
    rows = [holding.sizing_row(sizing, words, priced) for sizing in sizings]
    _table(holding.sizing_heads(words, priced), rows, drop=(3,), cut=2)
    for sizing in sizings:
        for line in holding.arithmetic(sizing, view.headroom, words):
            click.echo(f"  {clean(line)}")
        if said := holding.cost_sentence(sizing, _needed_space(view), words):
            click.echo(f"  {clean(said)}")
    for line in holding.link_arithmetic(sizings[0], view.headroom, view.value_bytes, view.needs, words):
        click.echo(f"  {clean(line)}")


def _show_pages(pages: Mapping[str, Sequence[PageLoad]], view: View, words: Words) -> None:
    from iobench.report import holding

    if not view.page:
        return
    click.echo(f"\n{holding.pages_title(view.page, view.page_s, words)}")
    rows = [holding.pages_row(name, load, words) for name, loads in pages.items() for load in loads]
    if rows:
        _table(holding.pages_heads(view.page_s, words), rows, drop=(4, 3))
        click.echo(words("capacity.pages.how"))
    for name in [name for name, loads in pages.items() if not loads]:
        missing = words.commas(list(view.page))
        click.echo(clean(words("capacity.pages.none", drive=name, workloads=missing)))


def show(result: Result, words: Words) -> None:
    """Print a search: what was found in sentences, and the table of its points."""
    from iobench.report import capacity as report

    click.echo("")
    for sentence in report.sentences(result, words):
        click.echo(clean(sentence))
    heads = report.columns(result, words)
    last = len(heads) - 1  # whether it holds, the verdict, what was behind
    drop = {last - 2: 4, 1: 3, 4: 2, last - 1: 1}
    columns = [Column(head, right=0 < i < last - 1, drop=drop.get(i, 0)) for i, head in enumerate(heads)]
    print_table(columns, [report.row(judged, result, words) for judged in report.in_order(result.points)])


def _held_json(held: Held) -> dict[str, Any]:
    space = {
        **dataclasses.asdict(held.space),
        "drive_reserve": held.space.drive_reserve,
        "for_data": held.space.for_data,
    }
    return {"space": space, "wear": dataclasses.asdict(held.wear), "notes": [str(note) for note in held.notes]}


def _sizing_json(sizing: Sizing) -> dict[str, Any]:
    cost = None if sizing.cost is None else {**dataclasses.asdict(sizing.cost), "total": sizing.cost.total}
    shares = [{**dataclasses.asdict(share), "resource": share.resource.value} for share in sizing.shares]
    first = sizing.first
    return {
        "drive": sizing.drive,
        "count": sizing.count,
        "first": None if first is None else {"resource": first.resource.value, "kind": first.kind},
        "links": sizing.links,
        "arithmetic": shares,
        "cost": cost,
    }


def search_json(result: Result) -> dict[str, Any]:
    """Return a search as JSON. Rates in 1/s, latencies in seconds; null is not known."""
    return {
        "slo": result.slo.text,
        "workload": result.slo.workload,
        "limits": [{"metric": limit.metric, "below": limit.seconds} for limit in result.slo.limits],
        "target": result.target,
        "by": result.by,
        "end": result.end.value,
        "confirmed": result.confirmed,
        "best": _point_json(result.best) if result.best else None,
        "even": _point_json(result.even) if result.even else None,
        "first_failed": _judged_json(result.failed) if result.failed else None,
        "knee": _point_json(result.curve[result.knee]) if result.knee is not None else None,
        "points": [_judged_json(judged) for judged in result.points],
    }


def _point_json(point: Any) -> dict[str, Any]:
    return {
        "step": point.step,
        "arrival": point.arrival,
        "load": point.load,
        "offered": point.offered,
        "achieved": point.achieved,
        "share": point.share,
        "latency": dict(point.latencies),
        "backlog": point.backlog,
        "backlog_growth": point.growth,
        "lateness_p99": point.lateness_p99,
        "duration_s": point.duration_s,
        "verdict": point.verdict.value,
        "reasons": list(point.reasons),
        "limited_by": point.limited_by.value,
    }


def _judged_json(judged: Judged) -> dict[str, Any]:
    return {**_point_json(judged.point), "holds": judged.judgement.holds, "why": list(judged.judgement.why)}
