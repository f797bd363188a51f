"""What is stored and asked for: the part of the generator's configuration that all runs on one server share."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from typing import Any

from iobench.errors import UsageError
from iobench.kvs.config import Config, Keys
from iobench.model import Params, whole
from iobench.units import parse_size

CONFIG = "config.json"
Values = tuple[tuple[int, float], ...]


def argv(config: str, out: str) -> tuple[str, ...]:
    """Return the generator's command. `-P`: nothing is imported from the folder that it is started in."""
    return (sys.executable, "-P", "-m", "iobench.kvs", config, out)


def parse_values(text: str) -> Values:
    """Return sizes (bytes) with their weights from `4Ki`, or from `100:9,4Ki:1`. Raises UsageError."""
    found = []
    for part in text.replace(" ", "").split(","):
        size, _, weight = part.partition(":")
        try:
            found.append((parse_size(size), float(weight or 1)))
        except ValueError:
            raise UsageError(f"{part!r} is no size with a weight; write 4Ki, or 100:9,4Ki:1") from None
    if any(size < 1 or not weight > 0 for size, weight in found):
        raise UsageError(f"{text!r} has a size below 1 byte, or a weight that is not above 0")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Keys and values. Sizes in bytes, `preload_rate` in bytes of value a second."""

    keys: int
    values: Values
    seed: int
    ttl_s: int
    preload_rate: float
    prefix: str = "iobench:"

    @classmethod
    def of(cls, params: Params) -> Dataset:
        """Return the data set that a service's parameters describe."""
        return cls(
            keys=whole(params, "keys"),
            values=parse_values(str(params["values"])),
            seed=whole(params, "seed"),
            ttl_s=whole(params, "ttl_s"),
            preload_rate=float(whole(params, "preload_rate")),
        )

    @property
    def mean(self) -> float:
        """The mean size of a value."""
        return sum(size * weight for size, weight in self.values) / sum(weight for _, weight in self.values)

    @property
    def most(self) -> int:
        """The largest size of a value."""
        return max(size for size, _ in self.values)

    @property
    def bytes(self) -> int:
        """All values together."""
        return round(self.keys * self.mean)

    def config(self, endpoints: tuple[str, ...], keys: Keys | None = None, **more: Any) -> Config:
        """Return a configuration of the generator on this data. Raises UsageError."""
        asked = dataclasses.replace(keys or Keys(), count=self.keys, prefix=self.prefix)
        settings = {"values": self.values, "seed": self.seed, "ttl_s": self.ttl_s, **more}
        return Config(endpoints=endpoints, keys=asked, **settings)
