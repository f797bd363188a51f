"""`iobench validate --learn NAME`: a handover profile written from a server that is known to be good."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iobench.cli.options import MeasureOptions
from iobench.errors import CannotRunError, UsageError
from iobench.model import METRICS

if TYPE_CHECKING:
    from iobench.analysis.handover import Measured
    from iobench.analysis.order import Order

BASE = "nvme"  # whose works are measured where no profile is named: they suit any drive
# What the next server may be worse by: drives of one model differ, and so do days.
RATE_MARGIN, LATENCY_MARGIN = 0.05, 0.25
_IDENTITY = ("kind", "vendor", "model", "firmware", "size", "link_width", "link_speed")


def learn_profile(name: str, base: str | None, shared: MeasureOptions) -> int:
    """Measure a server, and write what it is and does as the profile NAME.toml; return the exit code."""
    from iobench.analysis import order
    from iobench.analysis.handover import LEAST_REPEATS
    from iobench.campaign import handover, validation
    from iobench.campaign.failed import failures
    from iobench.cli import measure, progress
    from iobench.drives.passport import default_target, parse_targets
    from iobench.results import Store

    path = Path(name if name.endswith(".toml") else f"{name}.toml")
    _check_place(path)
    found, text = order.read(base or BASE)
    targets = parse_targets(shared.targets) or [default_target()]
    if len(targets) != 1:
        raise UsageError("a profile is learnt from one drive; give one -t")
    if not shared.dry_run:
        measure.clean_before(targets, shared)
    store = Store(shared.results)
    wish = handover.Wish(size=shared.size, duration=shared.duration, most=shared.repeats or LEAST_REPEATS)
    assembled, _ = handover.begin(found, text, targets, wish, store.ids())
    assembled = dataclasses.replace(
        assembled, campaign=dataclasses.replace(assembled.campaign, limits=shared.limits.as_params())
    )
    measure.keep_to(shared.limits, assembled)
    if shared.dry_run:
        measure.show_plan(assembled, shared)
        return 0
    folder = measure.create(store, assembled.campaign)
    validation.look_at_drives(folder, assembled.campaign.passports.values(), validation.BEFORE)
    with progress.log(shared.log_file) as log:
        measure.perform(assembled, folder, shared, log)
    from iobench.analysis import handover as judged

    figures = judged.measured(folder, failures(folder))
    known = validation.known(folder, validation.BEFORE)[targets[0].name]
    host = str(assembled.campaign.host.get("name"))
    source = f"learnt from {host}, campaign {folder.id}, {assembled.campaign.created_at:%Y-%m-%d}"
    lines = list(_lines(path.stem, source, known.facts, found, figures, targets[0].name))
    written = "\n".join(lines) + "\n"
    order.parse(path.stem, written)  # what is written can be read
    try:
        path.write_text(written, encoding="utf-8")
    except OSError as error:
        raise CannotRunError(f"{path} cannot be written: {error.strerror}") from error
    click.echo(f"written: {path}; look through it, then: iobench validate ./{path} -t NAME=PATH", err=shared.as_json)
    return 0


def _check_place(path: Path) -> None:
    """Raise UsageError, before anything is measured, for a profile that could not be written."""
    try:
        if path.stem.startswith("."):
            raise UsageError(f"{path} is no name for a profile; give a word, as --learn good-server")
        path.lstat()
    except FileNotFoundError:
        if path.parent.is_dir() and os.access(path.parent, os.W_OK):
            return
        raise UsageError(f"{path} cannot be written: {path.parent} is no folder that can be written in") from None
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{path} cannot be written ({said}); choose another name") from None
    raise UsageError(f"{path} exists; a profile is not overwritten, choose another name")


def _lines(
    title: str, source: str, facts: Mapping[str, float | str | bool], found: Order, figures: Measured, target: str
) -> Iterator[str]:
    """Yield the profile of what a drive is (`facts`) and does (`figures`), with the works of the profile `found`."""
    yield f"# {source}. Rates may be {RATE_MARGIN:.0%} lower, latencies {LATENCY_MARGIN:.0%} higher."
    yield f"title = {_quoted(title)}"
    yield f"quick_size = {found.quick_size}"
    for what in _IDENTITY:
        value = facts.get(what)
        if value is None or (facts.get("kind") in ("emulated", "loop") and what == "size"):
            continue
        later = what == "firmware" and any(char.isdigit() for char in str(value))
        test = "at_least" if later or not isinstance(value, str) else "is"
        shown = _quoted(value) if isinstance(value, str) else f"{value:g}" if what == "link_speed" else int(value)
        yield from ("", "[[identity]]", f'what = "{what}"', f"{test} = {shown}", f"source = {_quoted(source)}")
    if facts.get("passed") is True:
        yield from ("", "[[health]]", 'what = "passed"', "is = true", f"source = {_quoted(source)}")
    for look, entry in found.workloads:
        yield from ("", "[[workload]]", *([f'look = "{look}"'] if look != "quick" else []))
        for key, given in entry.items():
            yield f"{key} = {_toml(given)}"
    for speed in found.asked("quick"):
        estimate = figures.estimates.get((target, speed.workload, speed.op, speed.metric, speed.load))
        if estimate is None or estimate.ci95 is None:
            yield f"\n# {speed.id} could not be learnt: it has no valid figure"
            continue
        yield from ("", "[[performance]]", f"id = {_quoted(speed.id)}", f'workload = "{speed.workload}"')
        yield from (f"load = {speed.load}", f'metric = "{speed.metric}"', f'op = "{speed.op}"')
        low, high = estimate.ci95
        if speed.of_best is not None:
            yield f"of_best_at_least = {speed.of_best:g}"
        elif speed.at_least is not None:
            # Of the median: one repeat that was held up must not make it easy. Yet the server passes it itself.
            least = min(low, estimate.median * (1 - RATE_MARGIN))
            yield f"at_least = {_figure(least, METRICS[speed.metric].unit)}"
        else:
            yield f"at_most = {_figure(high * (1 + LATENCY_MARGIN), METRICS[speed.metric].unit)}"
        yield f"source = {_quoted(source)}"
        if speed.conditions is not None:
            yield f"conditions = {_quoted(speed.conditions)}"
    for speed in found.asked("full"):
        if speed.look == "full":
            yield f"\n# {speed.id} was not learnt: it is of a full look, and a quick one was taken"
    if found.preparation is not None:
        p = found.preparation
        values = (f"passes = {p.passes}", f'round = "{p.round_s:g}s"', f"depth = {p.depth}")
        yield from ("", "[preparation]", *values)
    if found.integrity:
        yield from ("", "[integrity]", *(f"{look} = {size}" for look, size in found.integrity.items()))


def _figure(value: float, unit: str) -> str:
    if unit == "B/s":
        return f'"{value / 1e6:.6g} MB/s"'
    return f'"{value * 1e3:.6g}ms"' if unit == "s" else f"{value:.6g}"


def _quoted(text: str) -> str:
    escaped = "".join(char if char.isprintable() else " " for char in text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return _quoted(value) if isinstance(value, str) else str(value)
