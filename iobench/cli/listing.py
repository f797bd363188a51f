"""`iobench list`, `show` and `rm`: what is stored."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from iobench import SCHEMA_VERSION
from iobench.campaign import journal
from iobench.campaign.failed import failures
from iobench.cli.document import echo_document
from iobench.cli.options import default_results, json_option, lang_option, results_option
from iobench.cli.tables import Column, clean, print_table
from iobench.errors import ResultsError, UsageError
from iobench.model import METRICS, Campaign, canonical, main_metrics
from iobench.results import CampaignFolder, Store
from iobench.texts import Words
from iobench.units import format_bytes, format_value


def complete_campaign(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a campaign's id."""
    root = ctx.params.get("results")
    ids = Store(root if isinstance(root, Path) else default_results()).ids()
    return [CompletionItem(name) for name in ["latest", *reversed(ids)] if name.startswith(incomplete)]


@click.command("list")
@results_option
@json_option
def list_campaigns(results: Path, as_json: bool) -> None:
    """List the stored campaigns, the newest last."""
    store = Store(results)
    found = [_summary(CampaignFolder(store.root / name)) for name in store.ids()]
    if as_json:
        echo_document({"schema_version": SCHEMA_VERSION, "campaigns": found})
        return
    if not found:
        click.echo(f"there is no campaign in {results}; `iobench suite quick -t NAME=PATH` makes one")
        return
    columns = (
        Column("CAMPAIGN"),
        Column("TITLE", shrinks=True),
        Column("TARGETS", shrinks=True),
        Column("STEPS", right=True),
        Column("STATUS"),
    )
    rows = [(c["id"], c["title"], ", ".join(c["targets"]), f"{c['finished']}/{c['steps']}", c["status"]) for c in found]
    print_table(columns, rows)


def _summary(folder: CampaignFolder) -> dict[str, Any]:
    try:
        campaign = folder.campaign()
        finished = len(folder.finished())
    except ResultsError as error:
        nothing = {"title": str(error), "targets": [], "finished": 0, "steps": 0, "created_at": None}
        return {"id": folder.id, **nothing, "status": "unreadable"}
    return {
        "id": campaign.id,
        "title": campaign.title,
        "created_at": campaign.created_at.isoformat(),
        "targets": list(campaign.passports),
        "finished": finished,
        "steps": len(campaign.steps),
        "status": "running" if folder.running() else journal.status(folder.path, finished, len(campaign.steps)),
    }


@click.command()
@click.argument("campaign", default="latest", shell_complete=complete_campaign)
@lang_option
@results_option
@json_option
def show(campaign: str, lang: str, results: Path, as_json: bool) -> None:
    """Show CAMPAIGN (by default the newest): host, targets, and each step with its verdict and figures."""
    folder = Store(results).open(campaign)
    stored = folder.campaign()
    steps = _steps(folder, stored)
    if as_json:
        steps = [{**step, "error": step["error"] and str(step["error"])} for step in steps]
        plan = {"host": dict(stored.host), "tools": dict(stored.tools), "notes": [str(note) for note in stored.notes]}
        document = {"schema_version": SCHEMA_VERSION, **_summary(folder), **plan, "results": steps}
        echo_document(document)
        return
    words = Words(lang)
    _print_head(stored, words)
    columns = (
        Column(words("show.col.step"), shrinks=True, least=23),  # number, round, workload and load
        Column(words("show.col.target"), drop=2, shrinks=True),
        Column(words("show.col.verdict")),
        Column(words("show.col.figures")),
        Column(words("show.col.reasons"), drop=1, shrinks=True),
    )
    print_table(columns, [_line(step, words) for step in steps])
    click.echo(f"\n{words('show.explain', campaign=stored.id)}")


def _print_head(campaign: Campaign, words: Words) -> None:
    host, title = campaign.host, clean(campaign.title)
    when = f"{campaign.created_at:%F %T} UTC"
    click.echo(words("show.head", campaign=campaign.id, title=title, rounds=campaign.rounds, when=when))
    told = [str(host.get(name)) for name in ("name", "system", "kernel", "processor")]
    click.echo(clean(words("show.host", host=words.commas(told))))
    click.echo(clean(words("show.tools", tools=words.commas(list(campaign.tools.values())))))
    for name, p in campaign.passports.items():
        device = (
            f"{p.device.name}, {p.device.model or p.device.kind}" if p.device else words.tell(p.no_device_reason or "")
        )
        what = [device, p.filesystem or "raw", *([format_bytes(p.total_bytes)] if p.total_bytes else [])]
        click.echo(clean(words("show.target", target=name, path=p.target.path, what=words.commas(what))))
    for note in campaign.notes:
        click.echo(clean(words("term.note", note=words.tell(note))))
    click.echo()


def _steps(folder: CampaignFolder, campaign: Campaign) -> list[dict[str, Any]]:
    columns = folder.columns("samples", "step", "verdict", "reasons", "op", "metric", "unit", "value")
    unknown = next((metric for metric in columns["metric"] if metric not in METRICS), None)
    if unknown is not None:
        raise ResultsError(f"{folder.path} has numbers of a metric {unknown!r}, which this iobench does not know")
    values: dict[str, list[dict[str, Any]]] = {}
    said: dict[str, tuple[str, list[str]]] = {}
    for step, verdict, reasons, op, metric, unit, value in zip(*columns.values(), strict=True):
        values.setdefault(step, []).append({"op": op, "metric": metric, "unit": unit, "value": value})
        said[step] = verdict, reasons
    failed = failures(folder)
    params = {id(step.work): canonical(step.work.params) for step in campaign.steps}
    found = []
    for step in campaign.steps:
        verdict, reasons = said.get(step.id, (None, []))
        found.append(
            {
                "step": step.id,
                "target": step.target,
                "workload": step.work.workload,
                "load": step.work.load,
                "repeat": step.repeat,
                "params": params[id(step.work)],
                "verdict": verdict,
                "reasons": reasons,
                "error": failed.get(step.id),  # in English where it is JSON
                "values": values.get(step.id, []),
            }
        )
    return found


def _line(step: dict[str, Any], words: Words) -> tuple[str, ...]:
    main = main_metrics(step["workload"], {v["metric"] for v in step["values"]})
    picked = [v for name in main for v in step["values"] if v["metric"] == name]
    op = "all" if any(v["op"] == "all" for v in picked) else None
    figures = "  ".join(
        format_value(v["value"], METRICS[v["metric"]].unit) for v in picked if op is None or v["op"] == op
    )
    verdict = (
        words.verdict(step["verdict"])
        if step["verdict"]
        else words(f"show.{'no-number' if step['error'] else 'not-run'}")
    )
    error = words.say(step["error"]) if step["error"] else ""
    return step["step"], step["target"], verdict, figures or "-", ", ".join(step["reasons"]) or error


@click.command()
@click.argument("campaign", shell_complete=complete_campaign)
@click.option("--yes", is_flag=True, help="Do not ask.")
@results_option
@json_option
def rm(campaign: str, yes: bool, results: Path, as_json: bool) -> None:
    """Delete CAMPAIGN, given by its whole id, with its raw outputs."""
    store = Store(results)
    folder = store.open(campaign)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"{folder.id} is not deleted without a question; add --yes")
        click.confirm(f"Delete {folder.path} with all its results?", abort=True, err=True)
    _remove_prepared(folder)
    store.remove(campaign)
    if as_json:
        echo_document({"schema_version": SCHEMA_VERSION, "deleted": folder.id})
    else:
        click.echo(f"deleted {folder.id}")


def _remove_prepared(folder: CampaignFolder) -> None:
    """Remove what an aborted run left on the targets for a resume that will not come."""
    # On a laptop that is no Linux nothing of it is on a drive.
    if sys.platform == "linux" and os.path.isfile(folder.path / "prepared.json"):  # noqa: PTH113
        from iobench.campaign import remains

        with suppress(ResultsError):  # a campaign that cannot be read can still be deleted
            remains.forget(folder, folder.campaign())
