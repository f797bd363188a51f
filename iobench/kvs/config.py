"""What the load generator is asked: CONFIG.json as frozen dataclasses, checked. Seconds, bytes, 1/s throughout."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from iobench.errors import UsageError, near_miss

MODES = ("load", "preload", "readback", "probe")
DISTRIBUTIONS = ("uniform", "zipf", "hot")
ARRIVALS = ("even", "poisson")
# An item's header and key come on top of the value; memcached refuses an item above its -I (1 MiB by default).
LONGEST_KEY = 250
# What lives longer than this outlives a run: one that is not found is lost, not expired.
OUTLIVES_S = 6 * 3600


@dataclass(frozen=True, slots=True)
class Keys:
    """Which keys there are, and how often each is asked.

    `zipf`: rank r is asked in proportion to 1/r^exponent. `hot`: a share `hot_keys` of the keys gets `hot_share` of
    the requests.
    """

    count: int = 100_000
    distribution: str = "uniform"
    prefix: str = "iobench:"
    exponent: float = 0.99
    hot_keys: float = 0.1
    hot_share: float = 0.9


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a connection may take to be made, and a reply to come, in seconds."""

    connect_s: float = 2.0
    reply_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Preload:
    """How the values are put in: every key once, paced in bytes of value a second (null: unpaced).

    With two passes every key is first stored with a value of one byte, so that the server has made its room before
    the bytes come.
    """

    rate: float | None = 50e6
    passes: int = 1


@dataclass(frozen=True, slots=True)
class Server:
    """What the server can, where a probe found it out; None is not known (then it is not used)."""

    noreply: bool | None = None
    multi_get: bool | None = None
    stats: bool | None = None
    touch: bool | None = None
    flush_all: bool | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """One run of the generator.

    Several endpoints share the keys by rendezvous hashing with murmur3, as pymemcache's HashClient does. An endpoint is
    `HOST:PORT` or `unix:PATH`. `connections` are shared by `processes`, each pinned to one of `cpus` (null: not
    pinned). `ratio` is gets to sets. `rate` is requests a second (null: closed loop); of a multi-get, the whole
    request is one. `tick_s` is the grain of the series. `acknowledged` says which keys a server has confirmed before
    ("none", "all", or the path of a file that an earlier run left), so that their absence is a loss and not a miss.
    With `outage` a server that goes away is waited for until the end. `sample` is how many keys a readback reads (null:
    all that were acknowledged). `flush` allows the probe to try `flush_all`, which empties the server.
    """

    endpoints: tuple[str, ...]
    mode: str = "load"
    connections: int = 50
    processes: int = 1
    cpus: tuple[int, ...] | None = None
    ratio: tuple[int, int] = (9, 1)
    keys: Keys = field(default_factory=Keys)
    values: tuple[tuple[int, float], ...] = ((100, 1.0),)
    multi_get: int = 1
    pipeline: int = 1
    ttl_s: int = 0
    rate: float | None = None
    arrival: str = "poisson"
    ramp_s: float = 1.0
    duration_s: float = 10.0
    tick_s: float = 1.0
    seed: int = 1
    timeouts: Timeouts = field(default_factory=Timeouts)
    preload: Preload = field(default_factory=Preload)
    sample: int | None = None
    acknowledged: str = "none"
    outage: bool = False
    noreply: bool = False
    flush: bool = False
    server: Server = field(default_factory=Server)

    def __post_init__(self) -> None:
        _check(self)

    @property
    def expires(self) -> bool:
        """Whether values may expire while they are measured: one that is not found is then no loss."""
        return 0 < self.ttl_s < OUTLIVES_S

    @property
    def mean_value(self) -> float:
        """The mean size of a value, in bytes."""
        weights = sum(weight for _, weight in self.values)
        return sum(size * weight for size, weight in self.values) / weights


def to_json(config: Config) -> str:
    """Return the text of CONFIG.json."""
    return json.dumps(dataclasses.asdict(config), indent=1)


def from_json(text: str) -> Config:
    """Return the configuration of a CONFIG.json. Raises UsageError with what is wrong in it."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the generator's configuration is no JSON: {error}") from error
    parts = {"keys": Keys, "timeouts": Timeouts, "preload": Preload, "server": Server}
    given = _known(found, Config)
    for name, part in parts.items():
        if name in given:
            given[name] = part(**_known(given[name], part))
    for name in ("endpoints", "ratio", "cpus"):
        if isinstance(given.get(name), list):
            given[name] = tuple(given[name])
    if isinstance(given.get("values"), int):
        given["values"] = ((given["values"], 1.0),)
    elif "values" in given:
        given["values"] = tuple((int(size), float(weight)) for size, weight in given["values"])
    if "endpoints" not in given:
        raise UsageError("the generator's configuration names no endpoints; give HOST:PORT or unix:PATH")
    try:
        return Config(**given)
    except TypeError as error:
        raise UsageError(f"the generator's configuration has a value of a wrong kind: {error}") from error


def _known(found: object, kind: Any) -> dict[str, Any]:
    if not isinstance(found, Mapping):
        raise UsageError(f"the generator's configuration has {found!r} where a table is wanted")
    names = [entry.name for entry in dataclasses.fields(kind)]
    for name in found:
        if name not in names:
            raise UsageError(f"the generator's configuration does not know {name!r}; {near_miss(name, names)}")
    return dict(found)


def _check(config: Config) -> None:
    """Raise UsageError for what no run could be made of."""
    wrong = {
        f"mode is {config.mode!r}; it is one of {', '.join(MODES)}": config.mode not in MODES,
        "no endpoint is given": not config.endpoints,
        f"{config.connections} connections cannot be shared by {config.processes} processes; each needs one to every "
        f"endpoint ({len(config.endpoints)})": config.mode != "probe"
        and (config.processes < 1 or config.connections < config.processes * len(config.endpoints)),
        f"{config.keys.count} keys: at least one is needed": config.keys.count < 1,
        f"the key distribution is {config.keys.distribution!r}; it is one of {', '.join(DISTRIBUTIONS)}": (
            config.keys.distribution not in DISTRIBUTIONS
        ),
        "a key is longer than 250 bytes or has a space in it; shorten the prefix": (
            len(config.keys.prefix.encode()) + len(str(config.keys.count)) + 8 > LONGEST_KEY
            or any(letter <= " " for letter in config.keys.prefix)
        ),
        "a Zipf exponent lies between 0 and 5": not 0 < config.keys.exponent < 5,
        "shares of hot keys and of their requests lie between 0 and 1": not (
            0 < config.keys.hot_keys < 1 and 0 < config.keys.hot_share < 1
        ),
        "the ratio of gets to sets has to hold one of them": min(config.ratio) < 0 or sum(config.ratio) < 1,
        "value sizes have to be at least 1 byte, their weights above 0": not config.values
        or any(size < 1 or weight <= 0 for size, weight in config.values),
        "multi_get and pipeline are at least 1": config.multi_get < 1 or config.pipeline < 1,
        f"arrival is {config.arrival!r}; it is one of {', '.join(ARRIVALS)}": config.arrival not in ARRIVALS,
        "a rate is above 0": config.rate is not None and config.rate <= 0,
        "pipelining belongs to the closed loop; with a rate, requests are sent when each is due": (
            config.rate is not None and config.pipeline > 1
        ),
        "duration_s and tick_s are above 0, ramp_s is not below": (
            config.duration_s <= 0 or config.tick_s <= 0 or config.ramp_s < 0
        ),
        "timeouts are above 0": config.timeouts.connect_s <= 0 or config.timeouts.reply_s <= 0,
        "a preload has one or two passes and a rate above 0": config.preload.passes not in (1, 2)
        or (config.preload.rate is not None and config.preload.rate <= 0),
    }
    for sentence, is_so in wrong.items():
        if is_so:
            raise UsageError(f"the load generator cannot do this: {sentence}")
