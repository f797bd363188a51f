"""What drives hold, worked out and shown: space, wear, searches, how many are needed; as tables or as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from iobench import SCHEMA_VERSION
from iobench.cli import options
from iobench.cli.tables import Column, clean, print_table
from iobench.errors import EXIT_OK, EXIT_TOOL, EXIT_UNDECIDED, EXIT_VERDICT
from iobench.texts import Told, Words

if TYPE_CHECKING:
    from iobench.analysis.capacity import Judged, Result
    from iobench.analysis.loadpoints import LoadPoint
    from iobench.analysis.pages import PageLoad
    from iobench.analysis.sizing import Capability, Need, Prices, Sizing
    from iobench.analysis.space import Space, Wear
    from iobench.cli.measure import Took
    from iobench.model import Target
    from iobench.results import CampaignFolder


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


@dataclass(frozen=True, slots=True)
class Held:
    """A drive's space and wear, with notes on what is not known."""

    space: Space
    wear: Wear
    notes: tuple[Told, ...]


def spaces_of(targets: Sequence[Target]) -> dict[str, Held]:
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


def show_all(
    folders: Sequence[CampaignFolder],
    spaces: Mapping[str, Held],
    shared: options.MeasureOptions,
    view: View,
    took: Took | None = None,
) -> int:
    """Show what drives hold and what searches found; return the exit code.

    4 where a search did not end, 1 where an SLO fails at the lowest rate, 5 where that is not decided, else 0.
    """
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
            "searches": [_search_json(result) for result in found],
            "sizing": [_sizing_json(sizing) for sizing in sizings],
            "pages": {name: [dataclasses.asdict(load) for load in loads] for name, loads in pages.items()},
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
    elif not shared.quiet:
        words = Words(view.lang)
        _show_space(spaces, words)
        for result in found:
            _show_search(result, words)
        _show_sizing(sizings, view, words)
        _show_pages(pages, view, words)
        if took is not None:
            where = words("capacity.kept", folder=folders[0].path, campaign=folders[0].id)
            click.echo(f"\n{clean(where)}")
    if took is not None and any(result.end is End.OPEN for result in found):
        return EXIT_TOOL
    ends = {result.end for result in found}
    return EXIT_VERDICT if End.FAILS_AT_LOWEST in ends else EXIT_UNDECIDED if End.UNDECIDED in ends else EXIT_OK


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


# --- as tables -----------------------------------------------------------------------------------------


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


def _show_search(result: Result, words: Words) -> None:
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


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], drop: Sequence[int], cut: int | None = None) -> None:
    """Print a table of drives; where it is too wide, `cut` shrinks and the columns `drop` go, first to last."""
    order = {column: len(drop) - place for place, column in enumerate(drop)}
    # What no row tells of goes before all others.
    order |= {i: len(drop) + 1 for i in order if all(row[i] == "–" for row in rows)}
    columns = [Column(head, order.get(i, 0), right=i > 0, shrinks=i == cut) for i, head in enumerate(heads)]
    print_table(columns, rows)


# --- as JSON -------------------------------------------------------------------------------------------


def _campaign_json(folder: CampaignFolder, took: Took) -> dict[str, Any]:
    from iobench.campaign.failed import failures

    failed = {step: str(why) for step, why in failures(folder).items()}
    return {"campaign": folder.id, "path": str(folder.path), "took_s": took.seconds, "failed": failed}


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


def _search_json(result: Result) -> dict[str, Any]:
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


def _point_json(point: LoadPoint) -> dict[str, Any]:
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
