"""How the report writes names, values, ratios and parameters; every name that others chose passes `clean`."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iobench.analysis.types import Claim, Comparison, Row
from iobench.errors import UsageError
from iobench.model import Campaign, ParamValue
from iobench.texts import Words
from iobench.units import format_bytes, format_count, format_ratio, format_seconds, format_value, parse_size

PER_PRICE = "_per_price"  # behind a metric whose figures were divided by the drive's price
# What the load counts, by workload; elsewhere it is I/Os outstanding.
_LOADS = {"dbench": "clients", "oltp": "threads", "kvs": "connections"}
# Said on a chart, in this order. What a step needed only to be made (its length, the file) is in the evidence.
_SAID = (
    *("block_size", "direct", "engine", "depth", "jobs", "read_share", "flush", "source", "size"),
    *("over", "sync", "load_file"),  # of dbench
    *("profile", "tables_size", "buffer_pool"),  # of oltp
    *("ratio", "value_size", "data", "cache", "keys", "multi_get", "pipeline", "outage"),  # of kvs
)
_SIZES = ("block_size", "size", "tables_size", "buffer_pool", "data", "memory")
# Not said where it is so.
_PLAIN: Mapping[str, ParamValue] = {"jobs": 1, "multi_get": 1, "pipeline": 1, "keys": "uniform"}
_CONCURRENCY = ("depth", "iodepth", "jobs", "numjobs", "clients", "threads", "connections")


def clean(text: object, most: int = 400) -> str:
    """Return a text that others wrote as one line without control, bidirectional or broken characters."""
    plain = str(text)
    if plain.isascii() and plain.isprintable():  # nearly all there is, and a loop over signs takes its time
        line = " ".join(plain.split())
        return line if len(line) <= most else line[: most - 1] + "…"
    kept = []
    for sign in plain[: most * 4]:
        kind = unicodedata.category(sign)
        if kind in ("Zl", "Zp") or sign in "\t\n\r":
            kept.append(" ")
        elif kind == "Cs":
            kept.append("\N{REPLACEMENT CHARACTER}")
        elif kind != "Cc" and not (kind == "Cf" and unicodedata.bidirectional(sign) != "BN"):
            kept.append(sign)
    line = " ".join("".join(kept).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def slug(text: str) -> str:
    """Return a text as a name for files and anchors: small Latin letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:60].strip("-") or "chart"


def drive_labels(comparison: Comparison) -> dict[str, str]:
    """Return what to call each drive on a chart; names that look alike are told apart by a number."""
    names = {d.name: clean(d.label or d.name, 120) for d in comparison.drives}
    taken = list(names.values())
    return {n: t if taken.count(t) == 1 else f"{t} [{i}]" for i, (n, t) in enumerate(names.items(), 1)}


def said_labels(comparison: Comparison, words: Words) -> dict[str, str]:
    """Return drives' labels for prose: an emulated one is called so, unless all are and the page says it."""
    labels = drive_labels(comparison)
    if all(d.emulated for d in comparison.drives):
        return labels
    return {
        d.name: words.noted(labels[d.name], words("chart.emulated") if d.emulated else "") for d in comparison.drives
    }


# --- values ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scale:
    """One unit for a whole axis: base units are divided by `divisor`; `unit` is None for a bare count."""

    divisor: float
    unit: str | None

    def short(self, value: float) -> str:
        """Return a base-unit value in this unit, without it."""
        scaled = value / self.divisor
        if self.unit is None:
            return format_count(scaled)
        if scaled == 0 or not math.isfinite(scaled):
            return "0" if scaled == 0 else str(scaled)
        places = max(0, 2 - math.floor(math.log10(abs(scaled)) + 1e-9))
        return f"{scaled:,.{places}f}"

    def tick(self, value: float) -> str:
        """Return the text of a tick that stands at a base-unit value."""
        scaled = value / self.divisor
        if self.unit is None and abs(scaled) >= 1000:
            for step, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
                if abs(scaled) >= step:
                    return f"{scaled / step:.10g}{sign}"
        return f"{scaled:,.10g}" if abs(scaled) >= 1 else f"{scaled:.10g}"


def scaled_text(scale: Scale, value: float, metric: str, unit: str) -> str:
    """Return a value with the unit of its chart's axis: one unit for all that stands beside each other."""
    return f"{scale.short(value)} {scale.unit}" if scale.unit else value_text(value, metric, unit)


def scaled_interval(scale: Scale, low: float, high: float, metric: str, unit: str) -> str:
    """Return an interval in a chart's unit: `490 – 510 MB/s`."""
    if scale.unit:
        return f"{scale.short(low)} – {scale.short(high)} {scale.unit}"
    return interval_text(low, high, metric, unit)


def scale(unit: str, values: Sequence[float]) -> Scale:
    """Return the one unit that suits values of a base unit: rates in MB/s, as slides have them."""
    positive = sorted(v for v in values if v > 0) or [1.0]
    top = positive[-1]
    if unit == "B/s":
        return Scale(1e9, "GB/s") if top >= 1e10 else Scale(1e6, "MB/s")
    if unit == "s":
        middle = math.sqrt(positive[0] * top)
        steps = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
        return next((Scale(size, name) for size, name in steps if middle >= size * 0.5), Scale(1e-6, "µs"))
    return Scale(1.0, None)


def value_text(value: float, metric: str, unit: str) -> str:
    """Return a value with its unit: `500 MB/s`, `42.2k IOPS`, `1.52 ms`."""
    return f"{format_count(value)} IOPS" if metric.removesuffix(PER_PRICE) == "iops" else format_value(value, unit)


def interval_text(low: float, high: float, metric: str, unit: str) -> str:
    """Return an interval with the unit once where both ends share it: `490 – 510 MB/s`."""
    first, last = value_text(low, metric, unit), value_text(high, metric, unit)
    number, _, name = first.rpartition(" ")
    return f"{number} – {last}" if number and last.endswith(f" {name}") else f"{first} – {last}"


def ratio_text(value: float) -> str:
    """Return a ratio as it stands on a bar: `3.4×`; far from one, two significant digits remain."""
    if 0 < value < 0.0995:
        return f"{value:.{1 - math.floor(math.log10(value))}f}×"
    return f"{value:,.0f}×" if value >= 99.95 else format_ratio(value)


def ratio_number(value: float) -> str:
    """Return a ratio for a sentence: `3.4`."""
    return ratio_text(value).removesuffix("×")


def times(value: float, words: Words) -> str:
    """Return a ratio as it stands on a bar, in words' language: `3.4×`, `3.4倍`."""
    return words("ratio.times", r=ratio_number(value))


def percent(share: float) -> str:
    """Return a share as `97 %`."""
    return f"{share * 100:.0f} %"


def binary_size(value: float) -> str:
    """Return bytes as `4 KiB` where they are a whole power-of-two count, else as `268 MB`."""
    for step, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if value >= step and value % step == 0:
            return f"{value / step:.0f} {name}"
    return format_bytes(value)


def _value_sizes(text: str) -> str:
    """Sizes of values as people read them: `4 KiB`; several with their weights stay as they were typed."""
    try:
        return binary_size(parse_size(text))
    except UsageError:
        return clean(text, 80)


def claimed(claim: Claim, words: Words) -> tuple[str, str]:
    """Return what was claimed, and the sentence with the figures, in the report's language.

    A claims file that does not have a statement in that language is quoted as it is.
    """
    in_japanese = claim.statement_ja if words.lang == "ja" else None
    return clean(in_japanese or claim.statement), clean(words.said(claim.phrases, claim.sentence), 800)


def title(campaign: Campaign, words: Words) -> str:
    """Return a campaign's title; that of a suite that ships in the reader's language."""
    key = f"suite.{campaign.profile}"
    return (
        words(key) if campaign.title and campaign.title == Words("en").or_name(key, "") else clean(campaign.title, 200)
    )


# --- what was measured -------------------------------------------------------------------------------------


def workload_name(workload: str, words: Words) -> str:
    """Return a workload's name for people."""
    return words.or_name(f"workload.{workload}", clean(workload, 60))


def metric_name(metric: str, words: Words) -> str:
    """Return a metric's name for people; of one that was divided by a price, it says so."""
    if metric.endswith(PER_PRICE):
        return words("metric.per-price", metric=metric_name(metric.removesuffix(PER_PRICE), words))
    return words.or_name(f"metric.{metric}", clean(metric, 60))


def op_name(row: Row, words: Words) -> str:
    """Return the operation where the workload's own name does not say it, else nothing."""
    if row.op == "all" or row.workload.endswith(f"-{row.op}") or row.workload == row.op:
        return ""
    return words.or_name(f"op.{row.op}", clean(row.op, 30))


def load_name(workload: str, words: Words) -> str:
    """Return what the load of a workload counts."""
    return words(f"load.{_LOADS.get(workload, 'outstanding')}")


def varying(rows: Sequence[Row]) -> frozenset[str]:
    """Return the names of the parameters that are not the same in all rows."""
    names = {name for row in rows for name in row.params}
    return frozenset(n for n in names if any(r.params.get(n) != rows[0].params.get(n) for r in rows))


def fixed_params(row: Row) -> tuple[tuple[str, str], ...]:
    """Return a row's parameters but those that make up its load: what one chart holds fixed."""
    return tuple(sorted((k, repr(v)) for k, v in row.params.items() if k not in _CONCURRENCY))


def said_params(rows: Sequence[Row], words: Words) -> str:
    """Return the parameters that all rows share, as a line: `1 MiB blocks, direct, io_uring, depth 8`."""
    moving, params = varying(rows), rows[0].params
    known = [n for n in _SAID if n in params and n not in moving]
    texts = [text for name in known if (text := _said(name, params[name], words))]
    if rows[0].rate is not None and len({row.rate for row in rows}) == 1:
        texts.append(words("param.rate", value=format_count(rows[0].rate)))
    return words.commas(texts)


def all_params(params: Mapping[str, ParamValue], words: Words) -> str:
    """Return every parameter of a step, as a line."""
    names = [*(n for n in _SAID if n in params), *(n for n in params if n not in _SAID)]
    texts = (_said(name, params[name], words, all=True) for name in names)
    return words.commas([text for text in texts if text])


def _said(name: str, value: ParamValue, words: Words, all: bool = False) -> str:
    if value is None or value == "" or (name in _PLAIN and value == _PLAIN[name] and not all):
        return ""
    if name == "over":
        return words.or_name(f"param.over.{value}", clean(value, 40))
    if name == "sync":
        return words("param.sync") if value else ""
    if name == "load_file":
        return words("param.load_file", value=clean(str(value).rpartition("/")[2], 60))
    if name == "direct":
        return words("param.direct" if value else "param.buffered")
    if name in _SIZES and isinstance(value, int | float):
        return words(f"param.{name}", size=binary_size(value))
    if name == "value_size":
        return words("param.value_size", value=_value_sizes(str(value)))
    if name == "duration_s" and isinstance(value, int | float):
        return words("param.duration_s", time=format_seconds(value))
    if name == "ramp_s" and isinstance(value, int | float):
        return words("param.ramp_s", time=format_seconds(value))
    if name.endswith("_s") and isinstance(value, int | float):
        return words("param.other", name=clean(name.removesuffix("_s"), 40), value=format_seconds(value))
    text = words.commas([clean(v, 60) for v in value]) if isinstance(value, list) else clean(value, 80)
    return words.first(f"param.{name}", "param.other", name=clean(name, 40), value=text)
