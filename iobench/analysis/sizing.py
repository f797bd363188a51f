"""How many drives or servers a need takes, what runs out first, and what that costs. Pure: figures in, arithmetic out.

Needs on one drive share it: the share of its rate that each takes is added. Space, and the network link that
all of them share, are resources of their own. Head room is kept on every one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from iobench.errors import UsageError, near_miss
from iobench.units import option_read, parse_size

HEADROOM = 0.30
LINK_BITS = 1e9
# What is left of a link for data: TCP over IPv4 over Ethernet carries 1448 of each 1538 bytes on the wire.
LINK_SHARE = 1448 / 1538
VALUE_BYTES = 4096
# Besides its value a request of the memcached protocol moves its key, its length and its ends.
PROTOCOL_BYTES = 48


class Resource(StrEnum):
    """What can run out."""

    RATE = "rate"  # what the drive does in a second
    SPACE = "space"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Unit:
    """A kind of need: the workload and metric that tell what a drive does of it, and whether the link carries it."""

    workload: str
    metric: str
    unit: str = "1/s"
    over_link: bool = False


UNITS: Mapping[str, Unit] = {
    "gets/s": Unit("kvs", "hits", over_link=True),
    "ops/s": Unit("kvs", "ops", over_link=True),
    "transactions/s": Unit("oltp", "transactions"),
    "queries/s": Unit("oltp", "queries"),
    "reads/s": Unit("rand-read", "iops"),
    "writes/s": Unit("rand-write", "iops"),
    "iops": Unit("rand-mixed", "iops"),
    "mb/s": Unit("seq-read", "throughput", "B/s"),
}
_NAMES = {"tps": "transactions/s", "get/s": "gets/s", "transaction/s": "transactions/s", "query/s": "queries/s"}
_NUMBER = re.compile(r"([0-9][0-9,_']*(?:\.[0-9]+)?)\s*([A-Za-z/]+)", re.ASCII)
_EXAMPLE = "write it as '20000 gets/s, 800 transactions/s, 300 GB'"


@dataclass(frozen=True, slots=True)
class Need:
    """What is needed of one kind, in its base unit; `kind` is a key of UNITS, or `space` in bytes."""

    kind: str
    amount: float


def parse_need(text: str) -> tuple[Need, ...]:
    """Return the needs in a text. Raises UsageError, with the nearest unit, for what cannot be read."""
    found: list[Need] = []
    for part in re.split(r"[,;](?=\s*[0-9])(?![0-9]{3}(?![0-9]))|\band\b|\+", text):
        if not part.strip():
            continue
        match = _NUMBER.fullmatch(part.strip())
        if match is None:
            raise UsageError(f"--need: {part.strip()!r} is not an amount with a unit; {_EXAMPLE}")
        found.append(_need(float(re.sub(r"[,_']", "", match[1])), match[2]))
    if not found:
        raise UsageError(f"--need is empty; {_EXAMPLE}")
    if len({need.kind for need in found}) < len(found):
        raise UsageError(f"--need {text!r} names one thing twice")
    return tuple(found)


def _need(amount: float, unit: str) -> Need:
    if amount <= 0:
        raise UsageError(f"--need: {amount:g} {unit} is no need; give an amount above 0")
    name = _NAMES.get(unit.lower(), unit.lower())
    if name in UNITS:
        return Need(name, amount * (1e6 if name == "mb/s" else 1))
    try:
        return Need("space", float(parse_size(f"1{unit}")) * amount)
    except UsageError:
        known = (*UNITS, "GB", "TB", "GiB")
        raise UsageError(f"--need: unknown unit {unit!r}; {near_miss(name, known)}") from None


@dataclass(frozen=True, slots=True)
class Capability:
    """What one drive does of a kind of need, and where the figure is from (a campaign and a step)."""

    amount: float
    source: str


@dataclass(frozen=True, slots=True)
class Share:
    """One line of the arithmetic: `units` = `need` / (`capacity` x (1 - head room)). None is not known."""

    resource: Resource
    kind: str
    need: float
    capacity: float | None
    usable: float | None
    units: float | None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Sizing:
    """How many of a drive are needed. `count` is None where a figure lacks; `first` is the line that runs out first.

    `links` is how many links as the shared one are needed, whatever the drives: more than one means that it
    runs out.
    """

    drive: str
    shares: tuple[Share, ...]
    count: int | None
    first: Share | None
    links: float | None
    cost: Cost | None = None

    @property
    def rate_units(self) -> float | None:
        """How many drives all rates together take: they share each drive."""
        rates = [share.units for share in self.shares if share.resource is Resource.RATE]
        known = [units for units in rates if units is not None]
        return math.fsum(known) if len(known) == len(rates) else None


def size(
    drive: str,
    needs: Sequence[Need],
    able: Mapping[str, Capability],
    headroom: float = HEADROOM,
    link_bits: float = LINK_BITS,
    value_bytes: int = VALUE_BYTES,
) -> Sizing:
    """Return how many of a drive the needs take; `able` has what one does, by a need's kind."""
    keep = 1 - headroom
    shares: list[Share] = []
    for need in needs:
        resource = Resource.SPACE if need.kind == "space" else Resource.RATE
        shares.append(_share(resource, need.kind, need.amount, able.get(need.kind), keep))
    moved = math.fsum(need.amount for need in needs if need.kind in UNITS and UNITS[need.kind].over_link)
    if moved:
        carried = Capability(link_bits / 8 * LINK_SHARE, "")
        shares.append(_share(Resource.LINK, "link", moved * (value_bytes + PROTOCOL_BYTES), carried, keep))
    whole = Sizing(drive, tuple(shares), None, None, None)
    links = next((share.units for share in shares if share.resource is Resource.LINK), None)
    space = [share.units for share in shares if share.resource is Resource.SPACE]
    parts = [whole.rate_units, *space]
    count = None if None in parts else max(1, *(math.ceil((p or 0.0) - 1e-9) for p in parts))
    return Sizing(drive, tuple(shares), count, _first(whole, space, links), links)


def _share(resource: Resource, kind: str, need: float, able: Capability | None, keep: float) -> Share:
    if able is None or able.amount <= 0:
        return Share(resource, kind, need, None, None, None)
    usable = able.amount * keep
    return Share(resource, kind, need, able.amount, usable, need / usable, able.source)


def _first(sizing: Sizing, space: Sequence[float | None], links: float | None) -> Share | None:
    """The line that runs out first: the resource that the most of is taken, of rates the largest among them.

    None where a figure lacks: what is not known may be the one.
    """
    if any(share.units is None for share in sizing.shares):
        return None
    totals = {Resource.RATE: sizing.rate_units or 0.0, Resource.LINK: links or 0.0}
    totals[Resource.SPACE] = max((units or 0.0 for units in space), default=0.0)
    worst = max(totals, key=lambda resource: totals[resource])
    lines = [share for share in sizing.shares if share.resource is worst and share.units is not None]
    return max(lines, key=lambda share: share.units or 0.0, default=None)


# --- prices --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a price for space: up to so many bytes (None: no end), a price for the step, or one a GB in it."""

    up_to: float | None
    price: float | None
    per_gb: float | None


@dataclass(frozen=True, slots=True)
class Prices:
    """What things cost, in a currency and for a period: one of the `drives` by its name, `each` of any other."""

    currency: str
    period: str
    each: float | None
    drives: Mapping[str, float]
    space: tuple[Step, ...]
    source: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a sizing costs: so many drives at a price, and the space by its steps. None is not priced."""

    currency: str
    period: str
    count: int
    each: float | None
    drives: float | None
    space: float | None

    @property
    def total(self) -> float:
        """The sum of what is priced."""
        return (self.drives or 0.0) + (self.space or 0.0)


def cost(prices: Prices, sizing: Sizing, space_bytes: float | None) -> Cost | None:
    """Return what a sizing costs; None where how many are needed is not known."""
    if sizing.count is None:
        return None
    each = prices.drives.get(sizing.drive, prices.each)
    space = space_price(prices.space, space_bytes) if prices.space and space_bytes is not None else None
    drives = None if each is None else each * sizing.count
    return Cost(prices.currency, prices.period, sizing.count, each, drives, space)


def space_price(steps: Sequence[Step], amount: float) -> float:
    """Return the price of an amount of bytes: a step's own price in the step it lies in, GB by GB beyond steps.

    A step with `price` costs that for all up to its end; one with `per_gb` adds to what was below it. A step
    of price 0 is a free tier.
    """
    below, paid = 0.0, 0.0
    for step in steps:
        inside = amount <= step.up_to if step.up_to is not None else True
        if step.per_gb is not None:
            end = amount if inside else (step.up_to or amount)
            paid += step.per_gb * max(0.0, end - below) / 1e9
        elif step.price is not None:
            paid = step.price
        if inside:
            return paid
        below = step.up_to or below
    return paid


def parse_prices(data: Mapping[str, object], where: str) -> Prices:
    """Return the prices in a TOML file's content. Raises UsageError for an unknown key, or a price that is none."""
    known = ("currency", "period", "each", "drives", "space", "source")
    for key in data:
        if key not in known:
            raise UsageError(f"{where}: unknown key {key!r}; {near_miss(str(key), known)}")
    drives, space = data.get("drives", {}), data.get("space", [])
    if not isinstance(drives, dict) or not isinstance(space, list):
        raise UsageError(f"{where}: [drives] is a table of prices, and each [[space]] a step")
    each = data.get("each")
    for key in ("currency", "period", "source"):
        if not isinstance(data.get(key, ""), str):
            raise UsageError(f"{where}: {key} is {data[key]!r}, and has to be a text")
    prices = Prices(
        currency=str(data.get("currency", "")),
        period=str(data.get("period", "")),
        each=None if each is None else _price(each, f"{where}: each"),
        drives={str(name): _price(value, f"{where}: drives.{name}") for name, value in drives.items()},
        space=tuple(_step(entry, where) for entry in space),
        source=str(data.get("source", "")),
    )
    ends = [step.up_to for step in prices.space]
    if any(end is None for end in ends[:-1]) or any(
        a is not None and b is not None and a >= b for a, b in pairwise(ends)
    ):
        raise UsageError(f"{where}: the steps of [[space]] rise by their up_to, and only the last may lack it")
    return prices


def _step(entry: object, where: str) -> Step:
    if not isinstance(entry, dict) or not set(entry) <= {"up_to", "price", "per_gb"}:
        raise UsageError(f"{where}: a [[space]] has up_to, and price or per_gb")
    if ("price" in entry) == ("per_gb" in entry):
        raise UsageError(f"{where}: a [[space]] has either price or per_gb")
    end = entry.get("up_to")
    return Step(
        up_to=None if end is None else float(option_read(f"{where}: up_to", str(end).replace(" ", ""), parse_size)),
        price=_price(entry["price"], f"{where}: price") if "price" in entry else None,
        per_gb=_price(entry["per_gb"], f"{where}: per_gb") if "per_gb" in entry else None,
    )


def _price(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise UsageError(f"{where} is {value!r}; a price is a number from 0 on")
    return float(value)
