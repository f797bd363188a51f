"""Does the load generator catch a stall? A private memcached is stopped for a moment, and both kinds of loop are asked.

A closed loop waits with the server, so it sends little while the server stands still and hardly counts the stall
(coordinated omission). At a rate each request has its time, and waits from then on.
"""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path

from iobench import proc
from iobench.drives.leftovers import temporary_folder
from iobench.drives.workdir import WorkFolder
from iobench.errors import InterruptedCampaign, ToolError
from iobench.model import Output, Place, Reading, Work
from iobench.results import write_safely
from iobench.runners import kvs
from iobench.servers import Endpoint, Room, memcached

DURATION_S = 6.0
STALL_S = 1.0
RATE = 20_000.0
# Of the stall: the requests of its whole length wait, the p99 of 6 s lies at 0.94 of it, and then it is worked off.
LEAST, MOST = 0.9, 1.05
CONNECTIONS = 50
_VALUES = 1_000_000  # bytes of all values: they stay in memory


@dataclass(frozen=True, slots=True)
class Proof:
    """What was measured while a server stood still. Times in seconds, rates in 1/s; None where too few answered."""

    stall_s: float
    duration_s: float
    rate: float
    paced_p99: float | None  # from when each request was due
    paced_service_p99: float | None  # from when it was sent
    closed_p99: float | None
    lateness_p99: float | None
    answered: float
    lost: int

    @property
    def bounds(self) -> tuple[float, float]:
        """Where the p99 of the paced run has to lie."""
        return LEAST * self.stall_s, MOST * self.stall_s

    @property
    def caught(self) -> bool:
        """Whether the stall is in the response times at a rate."""
        low, high = self.bounds
        return self.paced_p99 is not None and low <= self.paced_p99 <= high


def prove(stop: proc.Stop, rate: float = RATE, duration_s: float = DURATION_S, stall_s: float = STALL_S) -> Proof:
    """Stop a private memcached for `stall_s` seconds, once at a rate and once in a closed loop.

    Raises CannotRunError where memcached is not installed, ToolError where it or the generator fails.
    """
    paced, closed = _works(rate, duration_s, stall_s)
    with WorkFolder.make(temporary_folder(), f"prove-{time.time_ns()}") as folder:
        rooms = {name: Path(folder.make_folder(name)) for name in ("server", "log", "paced", "closed")}
        room = Room(rooms["server"], rooms["server"], rooms["server"], rooms["log"], stop)
        assert paced.service is not None
        server = memcached.open(paced.service, room)
        try:
            endpoint = server.start()
            first = _measured(server, endpoint, paced, rooms["paced"], stop)
            second = _measured(server, endpoint, closed, rooms["closed"], stop)
        finally:
            server.close(kill=True)
    one, two = _values(first), _values(second)
    return Proof(
        stall_s,
        duration_s,
        rate,
        one.get(("get", "latency_p99")),
        one.get(("get", "latency_service_p99")),
        two.get(("get", "latency_p99")),
        one.get(("all", "lateness_p99")),
        one[("all", "ops")],
        int(one[("all", "lost")] + two[("all", "lost")]),
    )


def _works(rate: float, duration_s: float, stall_s: float) -> tuple[Work, Work]:
    params = kvs.Params(
        loads=(CONNECTIONS,),
        rate=rate,
        arrival="even",
        ratio="1:0",
        value_size="100",
        outage="freeze",
        outage_time=stall_s,
        duration=duration_s,
        ramp=0.5,
        size=_VALUES,
    )
    (paced,) = kvs.plan(params)
    assert paced.service is not None
    service = dataclasses.replace(paced.service, params={**paced.service.params, "drive": False}, room=0)
    paced = dataclasses.replace(paced, service=service)
    return paced, dataclasses.replace(paced, rate=None)


def _measured(server: memcached.Memcached, endpoint: Endpoint, work: Work, out: Path, stop: proc.Stop) -> Reading:
    command = kvs.command(work, Place({}, {}, str(out), service=endpoint))
    for name, text in command.inputs.items():
        write_safely(out / name, text)
    server.settle(work)
    server.begin(work)
    server.watch(out)
    begin = time.monotonic()
    ended = proc.watch(
        command.argv,
        stdout=out / "stdout",
        stderr=out / "stderr",
        timeout_s=command.timeout_s,
        stop=stop,
        tick=lambda: server.tick(time.monotonic() - begin),
    )
    if ended.reason == "stopped":
        raise InterruptedCampaign("interrupted: nothing is kept of a proof")
    if ended.reason is not None:
        raise ToolError(f"the load generator did not end within {command.timeout_s:.0f} s and was stopped")
    server.end(work)
    files = {path.name: path.read_text(encoding="utf-8") for path in out.glob("*.json")} | dict(server.told())
    said = [(out / name).read_text(encoding="utf-8", errors="replace") for name in ("stdout", "stderr")]
    return kvs.read(work, Output(command.argv, ended.exit_code, said[0], said[1], files, ended.wall_s, ended.cpu_s))


def _values(reading: Reading) -> dict[tuple[str, str], float]:
    if reading.errors:
        raise ToolError(f"the proof failed: {reading.error_text}")
    return {(sample.op, sample.metric): sample.value for sample in reading.samples}


def as_json(proof: Proof, schema_version: int) -> str:
    """Return a proof as a JSON document."""
    low, high = proof.bounds
    document = {"schema_version": schema_version, **dataclasses.asdict(proof), "bounds": [low, high]}
    return json.dumps({**document, "caught": proof.caught}, indent=2)
