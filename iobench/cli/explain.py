"""`iobench explain`: what a reason means, or why a step was marked, with its figures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from iobench import SCHEMA_VERSION
from iobench.campaign.failed import failures
from iobench.campaign.verdict import REASONS
from iobench.cli.document import echo_document
from iobench.cli.listing import complete_campaign
from iobench.cli.options import json_option, lang_option, results_option
from iobench.cli.tables import Column, clean, hung, print_table
from iobench.errors import ResultsError, UsageError, near_miss
from iobench.model import INVALID_REASONS, Evidence
from iobench.results import CampaignFolder, Store
from iobench.texts import Phrase, Words, told_of
from iobench.units import format_bytes, format_seconds

NOT_RUN = Phrase("explain.not-run")


@click.command()
@click.argument("what", metavar="REASON|CAMPAIGN", shell_complete=complete_campaign)
@click.argument("step", required=False)
@lang_option
@results_option
@json_option
def explain(what: str, step: str | None, lang: str, results: Path, as_json: bool) -> None:
    """Explain a REASON, as `page-cache`, or why STEP of CAMPAIGN was marked.

    A STEP can be given by its number, or by the start of its name.
    """
    words = Words(lang)
    if step is None and what in REASONS:
        verdict = "invalid" if what in INVALID_REASONS else "suspect"
        if as_json:
            _print_json({"reason": what, "verdict": verdict, "sentence": REASONS[what]})
        else:
            means = words(f"reason.{what}")
            click.echo(hung("", words("explain.reason", reason=what, verdict=words.verdict(verdict), means=means)))
        return
    store = Store(results)
    if step is None:
        if what == "latest" or (what and any(name.startswith(what) for name in store.ids())):
            raise UsageError(f"which step? `iobench show {what}` lists them; then `iobench explain {what} STEP`")
        raise UsageError(f"{what!r} is neither a reason nor a campaign; {near_miss(what, REASONS)}")
    folder = store.open(what)
    known = _of_step(folder, _find_step(folder, step))
    if as_json:
        _print_json({**known, "error": None if known["error"] is None else str(known["error"])})
    else:
        _print(known, words)


def _find_step(folder: CampaignFolder, wanted: str) -> str:
    steps = [s.id for s in folder.campaign().steps]
    number = f"{int(wanted):04d}-" if wanted.isascii() and wanted.isdigit() and len(wanted) < 9 else wanted
    found = [s for s in steps if s == wanted] or [s for s in steps if s.startswith(number)]
    if len(found) != 1:
        raise UsageError(f"{wanted!r} names {len(found) or 'no'} steps of {folder.id}; {near_miss(wanted, steps)}")
    return found[0]


def _of_step(folder: CampaignFolder, step: str) -> dict[str, Any]:
    """What is known of a step: verdict and evidence are None where it has no number, and `error` says why."""
    known: dict[str, Any] = {"campaign": folder.id, "step": step, "verdict": None, "error": None, "findings": []}
    if step not in folder.finished():
        return {**known, "error": failures(folder).get(step, NOT_RUN), "evidence": None, "raw": None}
    findings = folder.findings(step)
    row = next((row for row in folder.read("evidence").to_pylist() if row["step"] == step), None)
    if row is None:
        raise ResultsError(f"{folder.path} has no evidence of step {step}; restore it from its archive")
    return {
        **known,
        "verdict": _verdict({finding["reason"] for finding in findings}),
        "findings": findings,
        "evidence": {field.name: row[field.name] for field in dataclasses.fields(Evidence)},
        "operations": folder.operations(step),
        "raw": str(folder.raw(step)),
    }


def _verdict(reasons: set[str]) -> str:
    if not reasons:
        return "valid"
    return "invalid" if reasons & INVALID_REASONS else "suspect"


def _print_json(document: dict[str, Any]) -> None:
    echo_document({"schema_version": SCHEMA_VERSION, **document})


def _print(known: dict[str, Any], words: Words) -> None:
    from rich.cells import cell_len

    step, findings = known["step"], known["findings"]
    if known["evidence"] is None:
        click.echo(words("explain.no-number", step=step, error=clean(words.say(known["error"]))))
        return
    reasons = list(dict.fromkeys(finding["reason"] for finding in findings))
    click.echo(f"{step}{words('list.colon')}{words.commas(reasons) or words.verdict('valid')}")
    for finding in findings:
        click.echo()
        click.echo(hung("", clean(f"{finding['reason']}{words('list.colon')}{words.tell(told_of(finding))}")))
    click.echo(f"\n{words('explain.evidence')}")
    rows = [(words(f"evidence.{name}"), _text(name, value, words)) for name, value in known["evidence"].items()]
    wide = max(cell_len(name) for name, _ in rows)
    for name, text in rows:
        click.echo(f"  {name}{' ' * (wide - cell_len(name))}  {text}")
    if known["operations"]:
        click.echo(f"\n{words('explain.operations')}")
        heads = [words(f"explain.col.{name}") for name in ("operation", "count", "mean", "max")]
        columns = [Column(head, right=i > 0) for i, head in enumerate(heads)]
        print_table(columns, [_operation(row) for row in known["operations"]])
    click.echo(f"\n{words('explain.raw', folder=known['raw'])}")


def _operation(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        clean(str(row["op"])),
        f"{row['count']:,}",
        *(format_seconds(row[f"latency_{of}"]) for of in ("mean", "max")),
    )


def _text(name: str, value: Any, words: Words) -> str:
    if value is None:
        return words("explain.not-known")
    if name == "limited_by" and words.lang != "en":
        return words(f"limit.{value}")
    if "bytes" in name:
        return f"{format_bytes(value)} ({value})"
    return f"{value:.4g}" if isinstance(value, float) else clean(str(value))
