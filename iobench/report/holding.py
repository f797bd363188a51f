"""Space, sizing and pages in words and rows, for the terminal: each figure with the arithmetic that gave it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from iobench.analysis.pages import PageLoad
from iobench.analysis.sizing import PROTOCOL_BYTES, UNITS, Cost, Need, Resource, Share, Sizing
from iobench.analysis.space import YEAR_S, Space, Wear
from iobench.report.labels import clean
from iobench.texts import Told, Words, joined
from iobench.units import format_bytes, format_count, format_seconds, format_value

_NOTHING = "–"


def _bytes(value: float | None) -> str:
    return _NOTHING if value is None else format_bytes(value)


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


# --- space ---------------------------------------------------------------------------------------------


def space_heads(words: Words) -> list[str]:
    """Return the heads of the table of space."""
    keys = ("drive", "physical", "formatted", "filesystem", "reserved", "used", "free", "wear", "life")
    return [words(f"capacity.col.{key}") for key in keys]


def space_row(drive: str, space: Space, wear: Wear, words: Words) -> list[str]:
    """Return a drive's cells."""
    parts = (space.physical, space.formatted, space.filesystem, space.reserved, space.used, space.free)
    worn = _NOTHING if wear.used is None else _percent(wear.used)
    left = _NOTHING if wear.left_s is None else long_time(wear.left_s, words)
    return [clean(drive, 60), *map(_bytes, parts), worn, left]


def wear_sentence(drive: str, wear: Wear, notes: Sequence[Told], words: Words) -> str:
    """Return what wear leaves, with the arithmetic, or why that is not known."""
    name = clean(drive, 60)
    if wear.used is None or wear.written is None:
        why = clean(words.tell(joined(notes)), 300) or words("capacity.wear.untold")
        return words("capacity.wear.none", drive=name, why=why)
    if wear.left_bytes is None:
        return words("capacity.wear.unused", drive=name)
    rate = wear.now_rate or wear.life_rate
    if wear.left_s is None or not rate:
        return words("capacity.wear.idle", drive=name)
    return words(
        "capacity.wear.how",
        drive=name,
        used=_percent(wear.used),
        written=format_bytes(wear.written),
        left=format_bytes(wear.left_bytes),
        rate=format_value(rate, "B/s"),
        what=words("capacity.wear.since-start" if wear.now_rate else "capacity.wear.life"),
        time=long_time(wear.left_s, words),
    )


def long_time(seconds: float, words: Words) -> str:
    """Return a long time in years, under two years in days."""
    if seconds >= 2 * YEAR_S:
        return words("capacity.wear.years", years=f"{seconds / YEAR_S:,.1f}")
    return words("capacity.wear.days", days=f"{seconds / 86400:,.0f}")


# --- sizing --------------------------------------------------------------------------------------------


def amount_text(kind: str, amount: float) -> str:
    """Return an amount of a kind of need as it is typed: `20,000 gets/s`, `300 GB`."""
    if kind in ("space", "link"):
        return format_bytes(amount) if kind == "space" else format_value(amount, "B/s")
    if kind == "mb/s":
        return format_value(amount, "B/s")
    return f"{amount:,.4g} {kind}" if amount < 1e4 else f"{amount:,.0f} {kind}"


def needs_title(needs: Sequence[Need], headroom: float, words: Words) -> str:
    """Return the title of a sizing."""
    said = words.commas([amount_text(need.kind, need.amount) for need in needs])
    return words("capacity.sizing", needs=said, headroom=_percent(headroom))


def sizing_heads(words: Words, priced: bool) -> list[str]:
    """Return the heads of the table over the drives."""
    keys = ("drive", "count", "first", "taken", *(("cost",) if priced else ()))
    return [words(f"capacity.col.{key}") for key in keys]


def sizing_row(sizing: Sizing, words: Words, priced: bool) -> list[str]:
    """Return a drive's cells."""
    first = sizing.first
    count = _NOTHING if sizing.count is None else str(sizing.count)
    named = words(f"capacity.resource.{first.resource.value}", kind=first.kind) if first else _NOTHING
    cost = [_NOTHING if sizing.cost is None else _money(sizing.cost.total, sizing.cost)] if priced else []
    return [clean(sizing.drive, 60), count, named, _NOTHING if first is None else _units(_taken(sizing, first)), *cost]


def _taken(sizing: Sizing, first: Share) -> float:
    return (sizing.rate_units if first.resource is Resource.RATE else first.units) or 0.0


def _units(value: float) -> str:
    return f"{value:.3g}"


def _money(value: float, cost: Cost) -> str:
    return " ".join(part for part in (f"{value:,.10g}", cost.currency, cost.period) if part)


def arithmetic(sizing: Sizing, headroom: float, words: Words) -> list[str]:
    """Return each line of a sizing's arithmetic that is of the drive."""
    drive, said = clean(sizing.drive, 60), []
    for share in sizing.shares:
        if share.resource is Resource.LINK:
            continue
        fields = _fields(share, headroom)
        if fields is None:
            how = "`--slo '{}'`".format(f"{UNITS[share.kind].workload} …") if share.kind in UNITS else "`-t`"
            said.append(words("capacity.sizing.missing", drive=drive, kind=share.kind, how=how))
        else:
            said.append(words(f"capacity.sizing.{share.resource.value}", drive=drive, source=share.source, **fields))
    rates = [s.units for s in sizing.shares if s.resource is Resource.RATE and s.units is not None]
    if len(rates) > 1 and sizing.rate_units is not None:
        total = " + ".join(map(_units, rates))
        said.append(words("capacity.sizing.sum", drive=drive, sum=total, units=_units(sizing.rate_units)))
    return said


def link_arithmetic(
    sizing: Sizing, headroom: float, value_bytes: int, needs: Sequence[Need], words: Words
) -> list[str]:  # fmt: skip
    """Return the lines of the shared link, which is the same for all drives; none where no need goes over it."""
    share = next((share for share in sizing.shares if share.resource is Resource.LINK), None)
    fields = _fields(share, headroom) if share is not None else None
    if fields is None:
        return []
    moved = sum(need.amount for need in needs if need.kind in UNITS and UNITS[need.kind].over_link)
    each = f"({value_bytes} + {PROTOCOL_BYTES}) B"
    said = [words("capacity.sizing.link", **fields, requests=f"{format_count(moved)}/s", bytes=each)]
    if sizing.links is not None and sizing.links > 1:
        said.append(words("capacity.sizing.link-out", links=_units(sizing.links)))
    return said


def _fields(share: Share, headroom: float) -> dict[str, str] | None:
    """The figures of a line; None where what a drive does is not known."""
    if share.capacity is None or share.usable is None or share.units is None:
        return None
    return {
        "need": amount_text(share.kind, share.need),
        "capacity": amount_text(share.kind, share.capacity),
        "keep": f"{1 - headroom:.3g}",
        "usable": amount_text(share.kind, share.usable),
        "units": _units(share.units),
    }


def cost_sentence(sizing: Sizing, space: float | None, words: Words) -> str:
    """Return what a sizing costs, with the arithmetic."""
    cost, drive = sizing.cost, clean(sizing.drive, 60)
    if cost is None:
        return ""
    parts = []
    if cost.each is None or cost.drives is None:
        parts.append(words("capacity.sizing.no-price", drive=drive))
    else:
        money = {"each": f"{cost.each:,.10g}", "drives": f"{cost.drives:,.10g}"}
        parts.append(words("capacity.sizing.cost", drive=drive, count=cost.count, **money))
    if cost.space is not None and space is not None:
        paid = f"{cost.space:,.10g}" if cost.space else words("capacity.sizing.cost-free")
        parts.append(words("capacity.sizing.cost-space", space=paid, amount=format_bytes(space)))
    named = {"currency": cost.currency, "period": cost.period}
    parts.append(words("capacity.sizing.cost-total", total=f"{cost.total:,.10g}", **named).strip())
    return words("list.semicolon").join(parts)


# --- pages ---------------------------------------------------------------------------------------------


def pages_title(page: Mapping[str, int], seconds: float, words: Words) -> str:
    """Return the title of the table of pages."""
    said = " ".join(f"{workload}={count}" for workload, count in page.items())
    return words("capacity.pages", page=said, time=format_seconds(seconds))


def pages_heads(seconds: float, words: Words) -> list[str]:
    """Return the heads of the table of pages."""
    within = words("capacity.col.within", time=format_seconds(seconds))
    ends = [words(f"capacity.col.{key}") for key in ("page-p99", "loads")]
    return [words("capacity.col.drive"), words("capacity.col.pages"), within, *ends]


def pages_row(drive: str, load: PageLoad, words: Words) -> list[str]:
    """Return the cells of pages at a load."""
    loads = words.commas([f"{workload} {format_count(rate)}/s" for workload, rate in load.rates.items()])
    share = f"{load.share * 100:.2f} %" if load.share < 1 else "100 %"
    return [clean(drive, 60), f"{load.pages:.3g}", share, format_seconds(load.p99), loads]
