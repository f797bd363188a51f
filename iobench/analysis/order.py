"""What was ordered: a handover profile's criteria, read from TOML and checked. Each figure carries its source."""

from __future__ import annotations

import re
import tomllib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iobench import profiles
from iobench.errors import UsageError, near_miss
from iobench.model import METRICS, Better
from iobench.units import parse_duration, parse_size

LOOKS = ("quick", "full")
OPS = ("read", "write", "get", "set", "all")
# what a profile may ask of a drive -> unit; a text has none.
IDENTITY: Mapping[str, str | None] = {
    **dict.fromkeys(("kind", "vendor", "model", "serial", "firmware", "bus"), None),
    **dict.fromkeys(("size", "physical_size", "formatted_size"), "B"),
    "link_width": "1",
    "link_speed": "GT/s",
    "sector": "B",
}
HEALTH: Mapping[str, str | None] = {
    "passed": "flag",
    "state": None,
    "temperature": "°C",
    **dict.fromkeys(("reserve", "used"), "%"),
    **dict.fromkeys(("media_errors", "reallocated", "pending", "warnings"), "1"),
    "power_on": "h",
    "written": "B",
}
_TESTS = ("is", "matches", "at_least", "at_most", "grows_at_most")
_TOLD = ("source", "conditions")
_SPEED = ("id", "workload", "op", "metric", "load", "at_least", "at_most", "of_best_at_least", "look")

_MOST = 1e18
_NEEDED = {"B/s": '"446 MB/s"', "s": '"2ms"'}


@dataclass(frozen=True, slots=True)
class Fact:
    """A criterion on what a drive is or says of itself. Numbers in base units, shares of 1.

    Exactly one test is set; `grows_at_most` is of the difference between before and after.
    """

    what: str
    unit: str | None
    group: str
    source: str
    conditions: str | None
    equals: str | float | bool | None = None
    matches: str | None = None
    at_least: float | str | None = None
    at_most: float | str | None = None
    grows_at_most: float | None = None

    @property
    def id(self) -> str:
        """What it is called in every output."""
        return f"{self.group}.{self.what}" + (".growth" if self.grows_at_most is not None else "")


@dataclass(frozen=True, slots=True)
class Speed:
    """A criterion on a measured figure, in the metric's base unit.

    `of_best` is a share: the figure at `load` over the best of all loads of that workload. `look` is the look
    from which on it is asked for.
    """

    id: str
    workload: str
    op: str
    metric: str
    load: int
    look: str
    source: str
    conditions: str | None
    at_least: float | None = None
    at_most: float | None = None
    of_best: float | None = None

    @property
    def limit(self) -> float:
        """The figure that decides."""
        return next(value for value in (self.at_least, self.at_most, self.of_best) if value is not None)


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a drive is prepared in a full look, after SNIA's PTS. Seconds."""

    passes: int = 2
    round_s: float = 60.0
    depth: int = 32


@dataclass(frozen=True, slots=True)
class Order:
    """A handover profile. `workloads` are entries as suites have them, with `look` beside."""

    name: str
    title: str
    facts: tuple[Fact, ...]
    speeds: tuple[Speed, ...]
    workloads: tuple[tuple[str, Mapping[str, object]], ...]
    preparation: Preparation | None
    integrity: Mapping[str, int]
    quick_size: int

    def asked(self, look: str) -> tuple[Speed, ...]:
        """Return the speeds that a look asks for."""
        return tuple(speed for speed in self.speeds if look == "full" or speed.look == "quick")


def read(name: str) -> tuple[Order, str]:
    """Return a shipped profile by its name, or a .toml file by its path, and its text.

    Raises UsageError with the nearest name, or with what is wrong in it.
    """
    path = profiles.find("handover", name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    return parse(path.stem, text), text


def parse(name: str, text: str) -> Order:
    """Return the profile in a TOML text. Raises UsageError that names the profile and the key."""
    where = f"profile {name}"
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not TOML that can be read: {error}") from error
    known = ("title", "identity", "health", "performance", "workload", "preparation", "integrity", "quick_size")
    profiles.check_keys(data, known, where)
    facts = [
        _fact(entry, group, what, f"{where}: [[{group}]]")
        for group, what in (("identity", IDENTITY), ("health", HEALTH))
        for entry in _entries(data, group, where)
    ]
    speeds = [_speed(entry, f"{where}: [[performance]]") for entry in _entries(data, "performance", where)]
    if not facts and not speeds:
        raise UsageError(f"{where} asks for nothing: it has no [[identity]], [[health]] or [[performance]]")
    ids = [*(fact.id for fact in facts), *(speed.id for speed in speeds)]
    twice = next((each for each in ids if ids.count(each) > 1), None)
    if twice is not None:
        raise UsageError(f"{where}: {twice!r} is asked for twice; give each [[performance]] an id of its own")
    return Order(
        name=name,
        title=str(data.get("title", name)),
        facts=tuple(facts),
        speeds=tuple(speeds),
        workloads=tuple(_workload(entry, where) for entry in _entries(data, "workload", where)),
        preparation=_preparation(data.get("preparation"), where),
        integrity=_integrity(data.get("integrity", {}), where),
        quick_size=_size(data.get("quick_size", "512Mi"), f"{where}: quick_size"),
    )


def _entries(data: Mapping[str, Any], key: str, where: str) -> Sequence[dict[str, Any]]:
    entries = data.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(f"{where}: {key} is not a list of tables; write [[{key}]]")
    return entries


def _told(entry: Mapping[str, Any], where: str) -> tuple[str, str | None]:
    source, conditions = entry.get("source"), entry.get("conditions")
    if not isinstance(source, str) or not source.strip():
        raise UsageError(f"{where}: {_name(entry)} has no source: where its figure comes from")
    if conditions is not None and not isinstance(conditions, str):
        raise UsageError(f"{where}: {_name(entry)}: conditions is not a text")
    return source, conditions


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("id") or entry.get("what") or entry.get("workload") or "an entry")


def _fact(entry: dict[str, Any], group: str, known: Mapping[str, str | None], where: str) -> Fact:
    profiles.check_keys(entry, ("what", *_TESTS, *_TOLD), where)
    what = entry.get("what")
    if not isinstance(what, str) or what not in known:
        raise UsageError(f"{where}: unknown what = {what!r}; {near_miss(str(what), known)}")
    given = [test for test in _TESTS if test in entry]
    if len(given) != 1:
        raise UsageError(f"{where}: {what} needs exactly one of {', '.join(_TESTS)}; it has {len(given)}")
    unit, test = known[what], given[0]
    value = entry[test]
    source, conditions = _told(entry, where)
    place = f"{where}: {what}: {test}"
    fields: dict[str, Any]
    if test == "matches":
        fields = {"matches": _pattern(value, place)}
    elif test == "is":
        fields = {"equals": _equal(value, unit, place)}
    elif unit in (None, "flag"):
        if test == "grows_at_most" or what != "firmware":
            raise UsageError(f"{place}: {what} is no number; use is or matches")
        if not any(char.isdigit() for char in str(value)):
            raise UsageError(f"{place}: {value!r} has no version number")
        fields = {test: str(value)}
    else:
        fields = {test: amount(value, unit, place)}
    return Fact(what, unit, group, source, conditions, **fields)


def _equal(value: object, unit: str | None, where: str) -> str | float | bool:
    if unit == "flag":
        if not isinstance(value, bool):
            raise UsageError(f"{where}: {value!r} is neither true nor false")
        return value
    if unit is None:
        if not isinstance(value, str):
            raise UsageError(f"{where}: {value!r} is no text; write it in quotes")
        return value
    return amount(value, unit, where)


def _pattern(value: object, where: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # of what will mean something else one day
            re.compile(str(value))
    except (re.error, FutureWarning, RecursionError, OverflowError) as error:
        raise UsageError(f"{where}: {value!r} is not a pattern: {error}") from None
    return str(value)


def _speed(entry: dict[str, Any], where: str) -> Speed:
    profiles.check_keys(entry, (*_SPEED, *_TOLD), where)
    metric, workload, load = entry.get("metric"), entry.get("workload"), entry.get("load")
    if not isinstance(metric, str) or metric not in METRICS:
        raise UsageError(f"{where}: unknown metric {metric!r}; {near_miss(str(metric), METRICS)}")
    if not isinstance(workload, str) or not isinstance(load, int) or isinstance(load, bool):
        raise UsageError(f"{where}: {_name(entry)} needs workload, a text, and load, a whole number")
    tests = [test for test in ("at_least", "at_most", "of_best_at_least") if test in entry]
    if len(tests) != 1:
        raise UsageError(f"{where}: {_name(entry)} needs one of at_least, at_most and of_best_at_least")
    look = entry.get("look", "quick")
    if look not in LOOKS:
        raise UsageError(f"{where}: unknown look {look!r}; {near_miss(str(look), LOOKS)}")
    better = METRICS[metric].better
    if (tests[0] == "at_most") != (better is Better.LOWER):
        raise UsageError(f"{where}: {metric} is good when it is {better}; {tests[0]} asks for the other side")
    source, conditions = _told(entry, where)
    unit = "%" if tests[0] == "of_best_at_least" else METRICS[metric].unit
    place = f"{where}: {_name(entry)}: {tests[0]}"
    value = amount(entry[tests[0]], unit, place)
    if value <= 0:
        raise UsageError(f"{place}: {entry[tests[0]]!r} asks for nothing: write a figure above 0")
    if unit == "%" and value > 1:
        raise UsageError(f"{place}: {entry[tests[0]]!r} cannot be met: no load has more than 100 % of the best")
    op = entry.get("op", "write" if workload.endswith("write") else "read")
    if op not in OPS:
        raise UsageError(f"{where}: {_name(entry)}: unknown op {op!r}; {near_miss(str(op), OPS)}")
    return Speed(
        id=str(entry.get("id") or f"{workload}.{load}.{metric}"),
        workload=workload,
        op=str(op),
        metric=metric,
        load=load,
        look=look,
        source=source,
        conditions=conditions,
        **{{"of_best_at_least": "of_best"}.get(tests[0], tests[0]): value},
    )


def _workload(entry: dict[str, Any], where: str) -> tuple[str, Mapping[str, object]]:
    look = entry.get("look", "quick")
    if look not in LOOKS:
        raise UsageError(f"{where}: [[workload]]: unknown look {look!r}; {near_miss(str(look), LOOKS)}")
    return str(look), {key: value for key, value in entry.items() if key != "look"}


def _preparation(entry: object, where: str) -> Preparation | None:
    if entry is None:
        return None
    table = profiles.check_keys(entry, ("passes", "round", "depth"), f"{where}: [preparation]")
    passes, depth = table.get("passes", 2), table.get("depth", 32)
    if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in (passes, depth)):
        raise UsageError(f"{where}: [preparation]: passes and depth are whole numbers from 1 on")
    return Preparation(passes, parse_duration(str(table.get("round", "60s"))), depth)


def _integrity(entry: object, where: str) -> Mapping[str, int]:
    table = profiles.check_keys(entry, LOOKS, f"{where}: [integrity]")
    return {look: _size(table[look], f"{where}: [integrity] {look}") for look in table}


def _size(value: object, where: str) -> int:
    return round(amount(value, "B", where))


def amount(value: object, unit: str, where: str) -> float:
    """Return a figure of a profile in base units: `446 MB/s`, `1ms`, `90%`, `160G`, or a number. Raises UsageError."""
    if isinstance(value, bool):
        raise UsageError(f"{where}: {value!r} is no figure")
    text = str(value).strip()
    # 446 may be meant in MB/s and 2 in ms: read in base units, any drive would meet the one and none the other.
    bare = isinstance(value, int | float) or not any(char.isalpha() for char in text)
    if unit in _NEEDED and bare:
        raise UsageError(f"{where}: {value!r} has no unit; write it as {_NEEDED[unit]}")
    if isinstance(value, int | float):
        if not abs(value) < _MOST:  # TOML knows nan, inf and whole numbers of any length
            raise UsageError(f"{where}: the number is no figure of a drive; the most is {_MOST:g}")
        if unit == "%" and abs(value) > 1:
            raise UsageError(f'{where}: {value:g} is more than all of it; write "{value:g}%"')
        return float(value)
    try:
        if unit == "%":
            return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        if unit == "s":
            return parse_duration(text)
        if unit == "B/s":
            return float(parse_size(text.removesuffix("/s")))
        if unit == "B":
            return float(parse_size(text))
        return float(text.removesuffix(unit).removesuffix("IOPS"))
    except (UsageError, ValueError) as error:
        why = str(error) if isinstance(error, UsageError) else "it is not a number"
        raise UsageError(f"{where}: {value!r} cannot be read as a figure in {unit}: {why}") from None
