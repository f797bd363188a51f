"""`iobench validate PROFILE`: is this server what was ordered? Pass, fail or not decided, with a sheet to sign."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from iobench.cli import options
from iobench.cli.options import GivenPath, MeasureOptions
from iobench.errors import (
    EXIT_OK,
    EXIT_UNDECIDED,
    EXIT_VERDICT,
    CannotRunError,
    InterruptedCampaign,
    IobenchError,
    ResultsError,
    ToolError,
    UsageError,
    near_miss,
)

FORMATS = ("text", "json", "junit", "nagios", "html", "pdf")
_FILES = {"text": "txt", "json": "json", "junit": "xml", "nagios": "nagios", "html": "html", "pdf": "pdf"}
_DRAWN = ("html", "pdf")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a judged handover is shown: the formats, where to, and in which language."""

    formats: tuple[str, ...] = ("text",)
    output: Path | None = None
    lang: str = "en"


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from iobench import profiles

    return [CompletionItem(name) for name in profiles.names("handover") if name.startswith(incomplete)]


@click.command()
@click.argument("profile", required=False, shell_complete=_complete)
@click.option(
    "-t", "--target", "targets", metavar="NAME=PATH", multiple=True, help="A folder on the drive, or a block device."
)
@click.option(
    "--look", type=click.Choice(("quick", "full")), default="quick", show_default=True, help="How hard to look."
)
@click.option("--within", metavar="TIME", help="Be done by then, as 90m; what does not fit is left out and named.")
@click.option(
    "--repeats",
    type=click.IntRange(3, 1000),
    metavar="N",
    help="Repeats at most, where it stays undecided.  [default: 10]",
)
@click.option("--duration", metavar="TIME", help="Measured time of a step.  [default: the profile's]")
@click.option(
    "--size", metavar="SIZE", help="Test file.  [default: the profile's, in a full look 4G or the whole device]"
)
@click.option(
    "--format", "formats", metavar="NAME,NAME…", default="text", show_default=True, help=f"{', '.join(FORMATS)}."
)
@click.option(
    "-o", "--output", type=GivenPath(path_type=Path, file_okay=False), metavar="DIR", help="Write the sheets there."
)
@options.lang_option
@click.option("--of", "of", metavar="CAMPAIGN", help="Judge a stored validation again; nothing is measured.")
@click.option("--learn", metavar="NAME", help="Write the profile NAME.toml from a server known to be good.")
@click.option(
    "--destroy-data",
    metavar="ID",
    multiple=True,
    help="Allow a block device to be overwritten; ID is what `iobench targets` prints.",
)
@click.option("--yes", is_flag=True, help="Do not ask when a signature is found on such a device.")
@click.option("--dry-run", is_flag=True, help="Show the commands of the first part and what is left out; run none.")
@options.limit_options
@click.option("--quiet", "-q", is_flag=True, help="No progress; the result only.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--log-file",
    type=GivenPath(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also log to FILE, and go on when the terminal is gone.",
)
@options.results_option
def validate(
    profile: str | None,
    look: str,
    within: str | None,
    formats: str,
    output: Path | None,
    lang: str,
    of: str | None,
    learn: str | None,
    **kwargs: Any,
) -> int:
    """Validate a server against PROFILE (`iodrive-160-slc`, `nvme`, `sata-ssd`, `sas-raid`, or a path to a file)."""
    shared = MeasureOptions(baseline=None, **kwargs)
    wanted = ("json",) if shared.as_json else _formats(formats)
    if output is None and sum(each not in _DRAWN for each in wanted) > 1:
        raise UsageError("several formats go into files: say where with -o DIR")
    shared = dataclasses.replace(shared, as_json=wanted[0] != "text")
    view = Wanted(wanted, output, lang)
    if of is not None:
        return _judge_again(of, profile, shared, view)
    if learn is not None:
        from iobench.cli.learning import learn_profile

        return learn_profile(learn, profile, shared)
    if profile is None:
        from iobench import profiles

        raise UsageError(f"a profile is needed: {', '.join(profiles.names('handover'))}, or a path to one")
    return _validate(profile, look, within, shared, view)


def _formats(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = next((each for each in found if each not in FORMATS), None)
    if unknown is not None:
        raise UsageError(f"unknown format {unknown!r}; {near_miss(unknown, FORMATS)}")
    if not found:
        raise UsageError(f"--format names nothing; known: {', '.join(FORMATS)}")
    return found


def _validate(
    profile: str,
    look: str,
    within: str | None,
    shared: MeasureOptions,
    wanted: Wanted,
) -> int:
    from iobench.analysis import order
    from iobench.analysis.handover import MOST_REPEATS
    from iobench.campaign import handover
    from iobench.cli import measure
    from iobench.cli.tables import clean
    from iobench.drives.passport import default_target, parse_targets
    from iobench.results import Store
    from iobench.units import option_read, parse_duration, parse_size

    found, text = order.read(profile)
    targets = parse_targets(shared.targets) or [default_target()]
    limits = shared.limits
    wish = handover.Wish(
        look=look,
        within_s=option_read("--within", within, parse_duration) if within is not None else None,
        most=shared.repeats or MOST_REPEATS,
        size=shared.size,
        duration=shared.duration,
        max_rate=option_read("--max-rate", shared.max_rate, parse_size) if shared.max_rate is not None else None,
    )
    if not shared.dry_run:
        measure.clean_before(targets, shared)
    store = Store(shared.results)
    assembled, left_out = handover.begin(found, text, targets, wish, store.ids())
    kept = dataclasses.replace(assembled.campaign, limits=limits.as_params())
    assembled = dataclasses.replace(assembled, campaign=kept)
    for warning in assembled.warnings:
        click.echo(f"warning: {clean(warning)}", err=True)
    for what, why in left_out.items():
        click.echo(clean(f"left out: {what}: {why}"), err=True)
    measure.keep_to(limits, assembled)
    if shared.dry_run:
        measure.show_plan(assembled, shared)
        return EXIT_OK
    folder = measure.create(store, assembled.campaign)
    measure.say_estimate(assembled, dataclasses.replace(shared, as_json=True))
    return run(folder, assembled, shared, wanted)


def run(
    folder: Any,
    assembled: Any,
    shared: MeasureOptions,
    wanted: Wanted,
) -> int:
    """Measure a validation, or go on with one, then judge it and show the sheet. Returns the exit code."""
    from iobench.campaign import validation
    from iobench.cli import measure, progress
    from iobench.results import Store

    passports = assembled.campaign.passports.values()
    if not (folder.path / validation.BEFORE).is_file():
        validation.look_at_drives(folder, passports, validation.BEFORE)
    problem: IobenchError | None = None
    with progress.log(shared.log_file) as log:
        try:
            measure.perform(assembled, folder, shared, log)
        except (InterruptedCampaign, ResultsError):
            raise
        except CannotRunError:
            # Refused before anything was run (a device in use, …): there is nothing to go on with, nor to judge.
            if not any(path.is_dir() for path in (folder.path / "raw").iterdir()):
                Store(folder.path.parent).remove(folder.id)
            raise
        except ToolError as error:
            problem = error  # what was measured is judged all the same; the rest is not decided
    validation.look_at_drives(folder, passports, validation.AFTER)
    return _show(folder, None, shared, wanted, problem)


def _judge_again(of: str, profile: str | None, shared: MeasureOptions, wanted: Wanted) -> int:
    from iobench.analysis import order
    from iobench.results import Store

    folder = Store(shared.results).open(of)
    return _show(folder, order.read(profile) if profile else None, shared, wanted, None)


def _show(
    folder: Any,
    profile: Any,
    shared: MeasureOptions,
    wanted: Wanted,
    problem: IobenchError | None,
) -> int:
    from iobench.analysis.handover import Outcome
    from iobench.campaign import journal, validation
    from iobench.report import verdicts
    from iobench.results import write_safely

    sheet = validation.sheet(folder, profile)
    campaign = folder.campaign()
    document = verdicts.dump(verdicts.to_json(sheet, campaign))
    if profile is None:
        write_safely(folder.path / validation.SHEET, document)
        journal.write(folder.path, "judged", outcome=sheet.outcome.value)
    if problem is not None:
        click.echo(f"iobench: {problem}", err=True)
    drawn = wanted.output or folder.path / "sheet"
    for each in wanted.formats:
        filed = wanted.output is not None or each in _DRAWN
        content = _content(each, sheet, campaign, folder, document, wanted.lang, filed)
        if filed:
            _write(drawn / f"handover.{_FILES[each]}", content)
            click.echo(f"written: {drawn / f'handover.{_FILES[each]}'}", err=True)
        else:
            _print(str(content), shared)
    if "nagios" in wanted.formats and wanted.output is None:
        return verdicts.NAGIOS_STATES[sheet.outcome][1]
    return {Outcome.PASS: EXIT_OK, Outcome.FAIL: EXIT_VERDICT}.get(sheet.outcome, EXIT_UNDECIDED)


def _print(text: str, shared: MeasureOptions) -> None:
    try:
        click.echo(text)
    except OSError:
        # The terminal is gone while nobody sat there; the sheet is in the campaign's folder.
        if shared.log_file is None:
            raise
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (it stays for the rest of the process)


def _content(each: str, sheet: Any, campaign: Any, folder: Any, document: str, lang: str, filed: bool) -> str | bytes:
    from iobench.campaign import validation
    from iobench.cli.tables import hung
    from iobench.report import verdicts
    from iobench.texts import Words

    if each == "json":
        return document
    if each == "junit":
        return verdicts.to_junit(sheet, campaign, validation.measured_s(folder))
    if each == "nagios":
        return verdicts.to_nagios(sheet)
    if each == "text":
        lines = _text(sheet, campaign, Words(lang))
        return "\n".join(head + text if filed else hung(head, text) for head, text in lines)
    from iobench.report import sheet as pages

    facts: Mapping[str, Any] = {
        name: known.facts for name, known in validation.known(folder, validation.BEFORE).items()
    }
    page = pages.html(sheet, campaign, dict(facts), lang)
    if each == "html":
        return page
    from iobench.report import pdf

    return pdf.pdf(page)


def _text(sheet: Any, campaign: Any, words: Any) -> list[tuple[str, str]]:
    """The lines of the sheet for a terminal: what stands before a text, and the text."""
    from rich.cells import cell_len

    from iobench.cli.tables import clean
    from iobench.report import verdicts

    outcome = words(f"handover.{sheet.outcome.value}")
    title = words("handover.title", targets=words.commas(list(campaign.passports)), title=sheet.title)
    lines = [("", words.pair(title, outcome)), ("", verdicts.sum_of(sheet, words)), ("", "")]
    several = len(campaign.passports) > 1
    group = None
    for name, target, mark, wanted, found in verdicts.rows(sheet, words):
        if name != group:
            lines.append(("", name))
            group = name
        wanted = words.pair(target, wanted) if several else wanted
        lines.append((f"  {mark}{' ' * max(0, 12 - cell_len(mark))} ", f"{wanted} -> {found}"))
    changed = [row for row in verdicts.change_rows(sheet.changes, words) if row[2] != row[3]]
    if changed:
        lines += [("", ""), ("", words("handover.changes"))]
        lines += [
            ("  ", words.pair(target, words.pair(what, words.noted(f"{before} -> {after}", grown))))
            for target, what, before, after, grown in changed
        ]
    lines += [("", ""), *(("", note) for note in verdicts.notes(sheet, campaign, words))]
    lines.append(("", words.pair(words("handover.digest"), sheet.digest)))
    lines.append(("", words.pair(words("handover.campaign"), sheet.campaign)))
    return [(head, clean(text)) for head, text in lines]


def _write(path: Path, content: str | bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if content.endswith("\n") else content + "\n", encoding="utf-8")
    except OSError as error:
        raise ResultsError(f"{path} cannot be written: {error.strerror}; choose another folder with -o") from error
