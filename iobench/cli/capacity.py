"""`iobench capacity`: how much a drive holds: space, wear, load within an SLO, and how many of them are needed."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click

from iobench import SCHEMA_VERSION
from iobench.cli import options
from iobench.cli.tables import Column, clean, print_table
from iobench.errors import EXIT_OK, EXIT_TOOL, EXIT_VERDICT, UsageError
from iobench.texts import LANGUAGES, Words

if TYPE_CHECKING:
    from iobench.analysis.capacity import Asked, Judged, Result
    from iobench.cli.measure import Took
    from iobench.results import CampaignFolder


@click.command()
@click.option(
    "--slo", "slos", metavar="TEXT", multiple=True, help="An objective to search the load of, as 'rand-read p99<1ms'."
)
@click.option("--by", type=click.Choice(("rate", "load")), default="rate", show_default=True, help="What is searched.")
@click.option(
    "--load",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Most outstanding where the rate is searched.  [default: 64]",
)
@click.option("--most", metavar="N", help="The highest rate, per second, or load that is tried.")
@click.option(
    "--precision", metavar="PERCENT", default="1%", show_default=True, help="How near what fails is to what holds."
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
@click.option(
    "--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="The language of what is shown."
)
@options.measure_options
def capacity(**kwargs: Any) -> int:
    """Show how much drives hold: space, wear, load within an SLO, and how many are needed.

    Without --slo nothing is measured, and space and wear are shown.
    """
    shared, own = options.split(kwargs)
    view = View(str(own["lang"]))
    asked = _asked(own, shared)
    if shared.repeats is not None:
        raise UsageError("--repeats: capacity tries a point as often as its search needs; leave it out")
    return _measure(asked, shared, view)


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """How what was found is shown, and what is worked out of it."""

    lang: str = "en"


def _asked(own: dict[str, Any], shared: options.MeasureOptions) -> Asked:
    """Return what the searches are asked. Raises UsageError."""
    from iobench.analysis import capacity as analysis
    from iobench.analysis import slo
    from iobench.analysis.loadpoints import WORKLOADS
    from iobench.cli.compare import parse_share
    from iobench.units import parse_duration

    slos = tuple(slo.parse(text, WORKLOADS) for text in own.get("slos", ()))
    if len({objective.text for objective in slos}) < len(slos):
        raise UsageError("--slo names an objective twice")
    precision = parse_share(own["precision"])
    if not 0.001 <= precision <= 0.5:
        raise UsageError(f"--precision {own['precision']} is not between 0.1 % and 50 %")
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
        most=_most(own.get("most")),
        precision=precision,
        confirm=not own.get("no_confirm"),
        curve=not own.get("no_curve"),
        settings=settings,
        duration_s=None if shared.duration is None else parse_duration(shared.duration),
    )


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
    from iobench.campaign import capacity as campaigns
    from iobench.campaign import prepare
    from iobench.cli import measure
    from iobench.drives.passport import default_target, parse_targets
    from iobench.results import Store

    targets = parse_targets(shared.targets) or [default_target()]
    measure.check_baseline(shared, [target.name for target in targets])
    if not shared.dry_run:
        measure.clean_before(targets, shared)
    store = Store(shared.results)
    prepared = prepare.prepare(campaigns.first_suite(asked), targets, {}, 1, store.ids())
    asked = campaigns.pinned(asked, [step.work for step in prepared.campaign.steps])
    prepared = dataclasses.replace(
        prepared, campaign=dataclasses.replace(prepared.campaign, director=asked.as_director())
    )
    for warning in prepared.warnings:
        click.echo(f"warning: {clean(warning)}", err=True)
    if shared.dry_run:
        measure.show_plan(prepared, shared)
        return EXIT_OK
    return measure.begin(prepared, store, shared, lambda folder, opts, took: conclude(folder, opts, took, view))


def conclude(folder: CampaignFolder, shared: options.MeasureOptions, took: Took, view: View | None = None) -> int:
    """Show what a capacity campaign found; return 4 where a search has no answer, 1 where an SLO fails, else 0."""
    from iobench.analysis import capacity as analysis
    from iobench.analysis.search import End
    from iobench.campaign.engine import failures

    view = view or View()
    found = analysis.results(folder)
    failed = failures(folder)
    if shared.as_json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "campaign": folder.id,
            "path": str(folder.path),
            "took_s": took.seconds,
            "failed": dict(failed),
            "searches": [search_json(result) for result in found],
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
    elif not shared.quiet:
        words = Words(view.lang)
        for result in found:
            show(result, words)
        click.echo(f"\nkept in {clean(str(folder.path))}; `iobench report {folder.id}` draws it")
    for step, sentence in failed.items():
        raw = folder.path / "raw" / step
        click.echo(clean(f"iobench: step {step} gave no number: {sentence}; its raw output is in {raw}"), err=True)
    if any(result.end is End.OPEN for result in found):
        return EXIT_TOOL
    return EXIT_VERDICT if any(result.end is End.FAILS_AT_LOWEST for result in found) else EXIT_OK


def show(result: Result, words: Words) -> None:
    """Print a search: what was found in sentences, and the table of its points."""
    from iobench.report import capacity as report

    click.echo("")
    for sentence in report.sentences(result, words):
        click.echo(clean(sentence))
    heads = report.columns(result, words)
    columns = [
        Column(head, right=0 < i < len(heads) - 2, drop=4 if i == len(heads) - 3 else 0) for i, head in enumerate(heads)
    ]
    print_table(columns, [report.row(judged, result, words) for judged in report.in_order(result.points)])


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
        "duration_s": point.duration_s,
        "verdict": point.verdict.value,
        "reasons": list(point.reasons),
        "limited_by": point.limited_by.value,
    }


def _judged_json(judged: Judged) -> dict[str, Any]:
    return {**_point_json(judged.point), "holds": judged.judgement.holds, "why": list(judged.judgement.why)}
