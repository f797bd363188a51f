"""One process of the generator: its share of the keys and connections, made ready, run, and reported."""

from __future__ import annotations

import gc
import random
import time
from array import array
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from iobench.kvs import units as made
from iobench.kvs.answers import Answers
from iobench.kvs.config import Config
from iobench.kvs.items import Items, draw
from iobench.kvs.links import SECOND, Endpoint, Failed, Lane, clock
from iobench.kvs.loop import Loop, pin
from iobench.kvs.records import Emit, Records
from iobench.kvs.units import Mix, Units

# Drawn beforehand and then repeated: several times each key, within bounds of time and memory.
_DRAWS = (1 << 14, 1 << 21)
_COMPOSED_DRAWS = 1 << 17
_GAPS = 1 << 15
_FOREVER = 1 << 62


class Worker:
    """One process's part of a run."""

    def __init__(
        self,
        config: Config,
        index: int,
        endpoints: Sequence[Endpoint],
        owners: array[int],
        acknowledged: Any,
        wanted: array[int],
        emit: Emit,
    ) -> None:
        self._config, self._index = config, index
        self._owners, self._wanted = owners, wanted
        self._rng = random.Random(f"{config.seed}:{index}")
        self._items = Items(config)
        self._records = Records(emit)
        self._value_bytes = float(config.mean_value)
        self._answers = Answers(self._items, self._records, acknowledged)
        self._loop = Loop(
            [],
            self._records,
            self._answers,
            reply_s=config.timeouts.reply_s,
            give_up_s=None if config.outage else config.timeouts.connect_s,
            tick_s=config.tick_s,
        )
        self._endpoints = endpoints
        self._gaps: dict[int, array[int]] = {}

    def prepare(self) -> None:
        """Render and connect. Raises Failed."""
        config = self._config
        if config.cpus:
            pin(config.cpus[self._index % len(config.cpus)])
        lanes = self._loaded() if config.mode == "load" else self._once()
        share = _shares(config.connections, config.processes)[self._index]
        for lane, count in zip(lanes, _shares(share, len(lanes)), strict=True):
            self._loop.lanes.append(lane)
            self._loop.connect(lane, count, config.timeouts.connect_s)
        self._loop.closed = not self._paced()
        gc.collect()
        gc.freeze()
        gc.disable()

    def _paced(self) -> bool:
        config = self._config
        return {"load": config.rate, "preload": config.preload.rate}.get(config.mode) is not None

    # --- what is sent ------------------------------------------------------------------------------------

    def _record(self, mix: Mix, stored: tuple[int, ...]) -> tuple[made.Record, made.Record]:
        record = self._records.of(mix)
        respond = record.response.append
        if not stored or self._config.expires or self._config.acknowledged == "all":
            return respond, record.service.append
        confirm = self._answers.confirm

        def confirmed(nanoseconds: int) -> None:
            respond(nanoseconds)
            for key in stored:
                confirm(key)

        return confirmed, record.service.append

    def _units(self, requests: Callable[[int], Sequence[made.Request]]) -> Units:
        return Units(self._items, requests, self._record, self._config.ttl_s)

    def _loaded(self) -> list[Lane]:
        """The lanes of a load: drawn keys, each at its owner's."""
        config, rng = self._config, self._rng
        composed = config.multi_get > 1 or config.pipeline > 1 or config.noreply
        length = max(_DRAWS[0], min(_DRAWS[1], 2 * config.keys.count))
        keys = draw(config.keys, min(2 * length, _COMPOSED_DRAWS) if composed else length, rng)
        lanes = []
        for number, endpoint in enumerate(self._endpoints):
            mine = keys if len(self._endpoints) == 1 else array("L", [k for k in keys if self._owners[k] == number])
            if not mine:
                raise Failed(f"no key falls to {endpoint.name}; take more keys")
            self._value_bytes = self._mean(mine)
            if composed:
                pool = made.composed(mine, config.ratio, config.multi_get, config.pipeline, config.noreply, rng)
                if not pool:
                    raise Failed(f"too few keys fall to {endpoint.name} for requests of {config.multi_get}")
                units, order = self._units(pool.__getitem__), array("L", range(len(pool)))
                per_unit = sum(map(len, pool)) / len(pool)
            else:
                units = self._units(made.Single(config.keys.count))
                order, per_unit = made.mixed(mine, config.keys.count, config.ratio, rng), 1.0
            lane = Lane(endpoint, units, units.feed(order, once=False))
            if config.rate is not None:
                rate = config.rate / config.processes * len(mine) / len(keys) / per_unit
                self._gaps[number] = gaps(rate, config.arrival, rng)
            lanes.append(lane)
        return lanes

    def _mean(self, keys: array[int]) -> float:
        if len(self._config.values) == 1:
            return float(self._config.values[0][0])
        some = keys[:10_000]
        return sum(map(self._items.size, some)) / len(some)

    def _once(self) -> list[Lane]:
        """The lanes of a preload or a readback: each wanted key once."""
        mine = self._wanted[self._index :: self._config.processes]
        self._value_bytes = self._mean(mine) if mine else 0.0
        return [
            Lane(endpoint, *self._pass(self._keys_of(mine, number), one_byte=self._config.preload.passes == 2))
            for number, endpoint in enumerate(self._endpoints)
        ]

    def _keys_of(self, keys: array[int], lane: int) -> array[int]:
        return keys if len(self._endpoints) == 1 else array("L", [k for k in keys if self._owners[k] == lane])

    def _pass(self, keys: array[int], one_byte: bool) -> tuple[Units, Any]:
        config, count = self._config, self._config.keys.count
        if config.mode == "readback":
            units = self._units(made.Single(count))
            return units, map(units.render, keys)
        units = self._units(made.Single(count, one_byte))
        return units, map(units.render, array("L", [count + key for key in keys]))

    # --- the run -----------------------------------------------------------------------------------------

    def run(self, begin: int) -> dict[str, Any]:
        """Run from `begin` (nanoseconds of the monotonic clock) and return what was measured."""
        failure = None
        report: dict[str, Any] = {}
        run = self._run_load if self._config.mode == "load" else self._run_once
        while (left := begin - clock()) > 0:
            time.sleep(max(0.0, left / SECOND - 0.0005))
        try:
            run(begin, report)
        except Failed as error:
            failure = str(error)
        report.setdefault("began", begin)
        loop, now = self._loop, clock()
        report.setdefault("ended", now)
        report.setdefault("at_end", self._records.totals())
        report.setdefault("cpu_s", 0.0)
        report.setdefault("spun_s", loop.spun_ns / SECOND)
        report.setdefault("gap", loop.gap(report["ended"]))
        counts = self._records.totals()
        counts["bytes_read"] = round(counts["hits"] * self._value_bytes)
        counts["bytes_written"] = round((counts["sets"] + counts["unconfirmed"]) * self._value_bytes)
        self._records.hand_over(all_of_it=True)
        loop.close()
        return report | {
            "counts": counts,
            "series": loop.series,
            "first_error": self._answers.first_error,
            "first_error_at": self._answers.first_error_at,
            "failure": failure,
        }

    def _run_load(self, begin: int, report: dict[str, Any]) -> None:
        config, loop = self._config, self._loop
        for number, each in self._gaps.items():
            # Processes take turns where the arrivals are even.
            loop.lanes[number].schedule(begin + each[0] * self._index // config.processes, each)
        run = loop.run_closed if loop.closed else loop.run_open
        loop.begin(begin)
        start = begin + round(config.ramp_s * SECOND)
        if config.ramp_s:
            run(start)
        end = start + round(config.duration_s * SECOND)
        loop.begin(start, end)
        report["began"] = start
        used = time.process_time()
        run((start + end) // 2)
        report["backlog_middle"] = loop.backlog(clock())
        run(end)
        report |= {
            "ended": clock(),
            "cpu_s": time.process_time() - used,
            "spun_s": loop.spun_ns / SECOND,
            "backlog": loop.backlog(end),
            "at_end": self._records.totals(),
            "gap": loop.gap(end),
        }
        loop.drain(end)

    def _run_once(self, begin: int, report: dict[str, Any]) -> None:
        """Each wanted key once; a preload of two passes first with one byte each."""
        config, loop = self._config, self._loop
        passes = config.preload.passes if config.mode == "preload" else 1
        mine = self._wanted[self._index :: config.processes]
        loop.finite()
        used = time.process_time()
        for number in range(passes):
            last = number == passes - 1
            start = max(begin, clock())
            if last:
                loop.begin(start)
                report["began"] = start
            for at, lane in enumerate(loop.lanes):
                keys = self._keys_of(mine, at)
                units, feed = self._pass(keys, one_byte=not last)
                lane.units = units
                lane.feed(feed)
                if not keys:
                    lane.exhausted = True
                elif not loop.closed:
                    lane.schedule(start, self._byte_gaps(keys, len(mine)))
            if loop.closed:
                loop.run_closed(_FOREVER)
            else:
                loop.run_open(_FOREVER, catch_up=False)
        report |= {"cpu_s": time.process_time() - used}

    def _byte_gaps(self, keys: array[int], all_keys: int) -> array[int]:
        """The gaps between sets at a rate in bytes a second, by the size of each value."""
        rate = (self._config.preload.rate or 1.0) / self._config.processes * len(keys) / all_keys
        return array("L", [round(self._items.size(key) / rate * SECOND) for key in keys])


def gaps(rate: float, arrival: str, rng: random.Random) -> array[int]:
    """Return gaps between requests, in nanoseconds, whose mean is right to a nanosecond in all."""
    if arrival == "even":
        count = 4096
        edges = [round(n * SECOND / rate) for n in range(count + 1)]
        return array("L", [b - a for a, b in pairwise(edges)])
    draws = [rng.expovariate(rate) for _ in range(_GAPS)]
    scale = _GAPS / rate / sum(draws) * SECOND
    return array("L", [round(gap * scale) for gap in draws])


def _shares(total: int, parts: int) -> list[int]:
    return [total // parts + (part < total % parts) for part in range(parts)]
