"""The load generator at work for a server: probes it, stores every key in it, reads them back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iobench import proc
from iobench.errors import InterruptedCampaign, ParseError, ToolError
from iobench.kvs import dataset, result
from iobench.kvs.config import Preload, Timeouts, to_json
from iobench.kvs.dataset import Dataset

ANSWER_S = 2.0
SAMPLE = 2000  # keys read back after the preload
_BESIDE_S = 120.0  # time that the generator may need beside the pace that it is given


@dataclass(frozen=True, slots=True)
class Generator:
    """Runs the load generator on endpoints in `folder`, its words kept in `log`. It is not measured, so not pinned."""

    data: Dataset
    endpoints: tuple[str, ...]
    folder: Path
    log: Path
    stop: proc.Stop
    tick: Callable[[], None] | None = None

    def probe(self) -> tuple[result.Result, str]:
        """Return what the servers can, and the text of it. Raises ToolError where one is not reached."""
        found, text = self._run("probe", 60.0, timeouts=Timeouts(reply_s=ANSWER_S))
        if found.failure:
            raise ToolError(f"the server cannot be measured: {found.failure}")
        return found, text

    def preload(self, rate: float) -> None:
        """Store every key, at `rate` bytes a second. Raises ToolError for one that was not confirmed."""
        seconds = _BESIDE_S + 4 * self.data.bytes / rate
        found, _ = self._run("preload", seconds, preload=Preload(rate=rate), connections=32)
        counts = found.counts
        if found.failure or counts.errors or counts.timeouts or counts.sets < self.data.keys:
            why = found.failure or found.first_error or f"{counts.sets:,} were confirmed"
            raise ToolError(f"the server did not take all of {self.data.keys:,} values: {why}")

    def readback(self, sample: int | None = None) -> tuple[result.Result, str]:
        """Read keys back (None: all), each of them taken as confirmed, and return what came, and the text of it."""
        seconds = _BESIDE_S + (sample or self.data.keys) / 100
        return self._run("readback", seconds, sample=sample, acknowledged="all", connections=16)

    def check(self) -> None:
        """Read a sample back. Raises ToolError unless every value is there as it was stored."""
        sample = min(SAMPLE, self.data.keys)
        found, _ = self.readback(sample)
        counts = found.counts
        if found.failure or counts.lost or counts.corrupt or counts.errors or counts.timeouts:
            raise ToolError(
                f"of {sample:,} stored values that were read back, {counts.lost:,} were gone, {counts.corrupt:,} "
                f"changed and {counts.errors + counts.timeouts:,} gave an error"
                f"{f' ({found.failure or found.first_error})' if found.failure or found.first_error else ''}; "
                f"see {self.log}"
            )

    def _run(self, mode: str, timeout_s: float, **more: Any) -> tuple[result.Result, str]:
        out = self.folder / mode
        out.mkdir(exist_ok=True)
        config = self.data.config(self.endpoints, mode=mode, **more)
        (out / dataset.CONFIG).write_text(to_json(config), encoding="utf-8")
        with contextlib.suppress(FileNotFoundError):
            (out / result.RESULT).unlink()
        ended = proc.watch(
            dataset.argv(str(out / dataset.CONFIG), str(out)),
            stdout=self.log / f"{mode}.out",
            stderr=self.log / f"{mode}.err",
            timeout_s=timeout_s,
            stop=self.stop,
            tick=self.tick,
        )
        if ended.reason == "stopped":
            raise InterruptedCampaign
        try:
            text = (out / result.RESULT).read_text(encoding="utf-8")
            return result.from_json(text), text
        except (OSError, ParseError) as error:
            raise ToolError(f"the load generator failed in its {mode}: {self._said(mode, ended)}") from error

    def _said(self, mode: str, ended: proc.Ended) -> str:
        if ended.reason == "timeout":
            return f"it did not end within {ended.wall_s:.0f} s and was stopped"
        lines = (self.log / f"{mode}.err").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it ended with exit code {ended.exit_code}"


def ask_stats(endpoint: str, timeout_s: float = ANSWER_S) -> Mapping[str, float]:
    """Return the counters (numbers only) of a server, HOST:PORT or unix:PATH. Raises ToolError."""
    from pymemcache.client.base import Client
    from pymemcache.exceptions import MemcacheError

    host, _, port = endpoint.rpartition(":")
    where: Any = endpoint.removeprefix("unix:") if endpoint.startswith("unix:") else (host, int(port))
    client = Client(where, connect_timeout=timeout_s, timeout=timeout_s)
    try:
        return dict(_numbers(client.stats()))
    except (OSError, MemcacheError, ValueError, LookupError) as error:  # a line cut short is one to it
        raise ToolError(f"{endpoint} does not tell its counters: {error or type(error).__name__}") from error
    finally:
        client.close()


def _numbers(stats: Mapping[bytes, object]) -> Iterator[tuple[str, float]]:
    for name, value in stats.items():
        text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        with contextlib.suppress(ValueError):
            yield name.decode(errors="replace"), float(text)
