"""The KVS load generator against memtier_benchmark, memcaslap and pymemcache, and against what it must show.

The claims, medians of alternating runs at 50 connections, 100-byte values, 9 gets to a set, memcached on the other
processor: at least 1.15 times memtier's ops/s at no more than 0.85 of its CPU an operation, with every reply compared
byte for byte; pipelined 32, at least memtier's ops/s. memcached stopped for 1 s in a 6 s run at 20,000/s: p99 of 900
to 1,050 ms. An open loop of 50,000/s: p50 under 60 µs and the generator's own lateness p99 under 300 µs in 5 of 7
runs. Memory flat over 10 minutes (`--minutes`).
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common

from iobench.bins import percentile
from iobench.kvs import config as asked
from iobench.kvs import result as answered
from iobench.results import decode_bins

PORT = 21_311
SERVER_CPU, CLIENT_CPU = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
CONNECTIONS, KEYS, VALUE = 50, 100_000, 100
# Server and clients alike: what else runs on the machine then gets little of both processors.
FIRST = 'nice=$1; shift; echo -20 >/proc/self/autogroup 2>/dev/null; exec nice -n "$nice" "$@"'


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a client gave: operations a second, CPU seconds an operation."""

    ops: float
    cpu: float


def main() -> None:
    options = common.arguments(__doc__ or "", rounds=7, seconds=4, stalls=3, open=7, minutes=10)
    common.head("KVS load generator")
    if shutil.which("memcached") is None or shutil.which("memcaslap") is None:
        print("not run: memcached and memcaslap are needed: apt-get install memcached libmemcached-tools")
        raise SystemExit(0 if options.short else 3)
    if options.short:
        options.rounds, options.seconds, options.stalls, options.open = 1, 1, 1, 1
    missed = 0
    with tempfile.TemporaryDirectory(prefix="iobench-benchmark-") as path, server(Path(path)):
        folder = Path(path)
        # A part of 0 runs is left out.
        missed += _speed(folder, options.rounds, options.seconds) if options.rounds else 0
        missed += _stall(folder, options.stalls) if options.stalls else 0
        missed += _open(folder, options.open) if options.open else 0
        if options.minutes:
            missed += _memory(folder, 5 if options.short else options.minutes * 60)
    common.conclude(missed, options.short)


# --- programs ------------------------------------------------------------------------------------------


def start(argv: Sequence[str], cpu: int, **more: Any) -> subprocess.Popen[Any]:
    """Start a program on one processor, before others where that is allowed."""
    nice = "-20" if os.getuid() == 0 else "0"
    return subprocess.Popen(
        ["taskset", "-c", str(cpu), "sh", "-c", FIRST, "first", nice, *argv], start_new_session=True, **more
    )


def cpu_of(argv: Sequence[str], cpu: int = CLIENT_CPU) -> tuple[str, float]:
    """Run a program to its end; return what it printed and the CPU seconds it used."""
    process = start(argv, cpu, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{argv[0]} ended with {process.returncode}: {said[-500:]}")
    return said, used.ru_utime + used.ru_stime


_SERVER: list[subprocess.Popen[Any]] = []


@contextmanager
def server(folder: Path) -> Iterator[None]:
    user = ["-u", "root"] if os.getuid() == 0 else []
    process = start(
        ["memcached", *user, "-l", "127.0.0.1", "-p", str(PORT), "-U", "0", "-m", "512", "-t", "1"], SERVER_CPU
    )
    _SERVER[:] = [process]
    try:
        time.sleep(1)
        ours(folder, mode="preload", preload=asked.Preload(rate=None))
        if memtier_there():
            memtier(folder, 1, 1, "--ratio=1:0", "--key-pattern=P:P", "-n", "allkeys", timed=False)
        yield
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def ours(folder: Path, **more: Any) -> answered.Result:
    """Run our generator; its result."""
    given: dict[str, Any] = {"connections": CONNECTIONS, "cpus": (CLIENT_CPU,), "keys": asked.Keys(count=KEYS)}
    given |= {"values": ((VALUE, 1.0),), "acknowledged": "all", "ramp_s": 0.5}
    config, out = folder / "config.json", folder / "out"
    config.write_text(asked.to_json(asked.Config((f"127.0.0.1:{PORT}",), **{**given, **more})))
    # Not `cpu_of`: it pins and ranks itself.
    subprocess.run([sys.executable, "-m", "iobench.kvs", str(config), str(out)], check=True, start_new_session=True)
    return answered.from_json((out / answered.RESULT).read_text())


def our_run(folder: Path, seconds: int, pipeline: int) -> Run:
    result = ours(folder, duration_s=float(seconds), pipeline=pipeline)
    counts = result.counts
    if counts.hits != counts.gets or counts.errors or counts.corrupt:
        raise SystemExit(f"not every reply was a hit: {counts}; {result.first_error}")
    return Run(result.achieved_rate, result.cpu_cores * result.window_s / counts.requests)


def memtier_there() -> bool:
    return shutil.which("memtier_benchmark") is not None


def memtier(folder: Path, seconds: int, pipeline: int, *more: str, timed: bool = True) -> Run:
    out = folder / "memtier.json"
    argv = ["memtier_benchmark", "-s", "127.0.0.1", "-p", str(PORT), "-P", "memcache_text", "-t", "1", "-c",
            str(CONNECTIONS if timed else 1), "-d", str(VALUE), f"--key-maximum={KEYS}", "--hide-histogram",
            f"--pipeline={pipeline}", f"--json-out-file={out}", "--distinct-client-seed"]  # fmt: skip
    argv += ["--ratio=1:9", f"--test-time={seconds}"] if timed else []
    _, used = cpu_of([*argv, *more])
    found = json.loads(out.read_text())["ALL STATS"]
    return Run(found["Totals"]["Ops/sec"], used / max(1, found["Totals"].get("Count", 1)))


def memcaslap(folder: Path, seconds: int) -> Run:
    shape = folder / "memcaslap.conf"
    shape.write_text(f"key\n16 16 1\nvalue\n{VALUE} {VALUE} 1\ncmd\n0 0.1\n1 0.9\n")
    said, used = cpu_of(
        ["memcaslap", "-s", f"127.0.0.1:{PORT}", "-T", "1", "-c", str(CONNECTIONS), "-t", f"{seconds}s", "-F",
         str(shape)]
    )  # fmt: skip
    found = re.search(r"Ops: (\d+) TPS: (\d+)", said)
    if found is None:
        raise SystemExit(f"memcaslap's output cannot be read: {said[-500:]}")
    return Run(float(found[2]), used / int(found[1]))


def pymemcache(seconds: int) -> Run | None:
    """50 threads of pymemcache, as an application would use it: this file again, ranked like the others."""
    try:
        import pymemcache as there  # noqa: F401
    except ImportError:
        return None
    said, used = cpu_of([sys.executable, __file__, "pymemcache", str(seconds)])
    count = int(said.split()[-1])
    return Run(count / seconds, used / count)


def _threads(seconds: int) -> None:
    from pymemcache.client.base import Client

    counts, until = [0] * CONNECTIONS, time.monotonic() + seconds

    def work(me: int) -> None:
        client = Client(("127.0.0.1", PORT), no_delay=True)
        number = me
        while time.monotonic() < until:
            number = (number * 7919 + 1) % KEYS
            if counts[me] % 10:
                client.get(b"iobench:%08d" % number)
            else:
                client.set(b"pymemcache:%08d" % number, b"x" * VALUE, noreply=False)
            counts[me] += 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(sum(counts))


# --- the claims ----------------------------------------------------------------------------------------


def _speed(folder: Path, rounds: int, seconds: int) -> int:
    clients: dict[str, Callable[[], Run | None]] = {
        "iobench": lambda: our_run(folder, seconds, 1),
        "memcaslap": lambda: memcaslap(folder, seconds),
    }
    if memtier_there():
        clients["memtier"] = lambda: memtier(folder, seconds, 1)
        clients["iobench, pipelined 32"] = lambda: our_run(folder, seconds, 32)
        clients["memtier, pipelined 32"] = lambda: memtier(folder, seconds, 32)
    clients["pymemcache in 50 threads"] = lambda: pymemcache(seconds)
    runs: dict[str, list[Run]] = {name: [] for name in clients}
    for number in range(rounds):
        names = list(clients)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            run = clients[name]()
            if run is not None:
                runs[name].append(run)
    common.table(
        ["client", "runs", "ops/s, median", "least to most", "CPU an operation, median"],
        [
            (name, len(each), f"{statistics.median(r.ops for r in each):,.0f}",
             f"{min(r.ops for r in each):,.0f} to {max(r.ops for r in each):,.0f}",
             f"{statistics.median(r.cpu for r in each) * 1e6:.2f} µs")
            for name, each in runs.items() if each
        ],
    )  # fmt: skip
    rows = [_ratio("iobench over memcaslap", runs["iobench"], runs["memcaslap"], None, None)]
    if memtier_there():
        rows.append(_ratio("iobench over memtier", runs["iobench"], runs["memtier"], 1.15, 0.85))
        rows.append(_ratio("the same, pipelined 32", runs["iobench, pipelined 32"], runs["memtier, pipelined 32"], 1.0,
                           None))  # fmt: skip
    common.table(["pair by pair, medians", "ops/s", "CPU an operation", "as claimed"], rows)
    return sum(row[-1] == "no" for row in rows)


def _ratio(
    title: str, ours: Sequence[Run], theirs: Sequence[Run], least: float | None, most: float | None
) -> tuple[str, ...]:
    ops = [a.ops / b.ops for a, b in zip(ours, theirs, strict=True)]
    cpu = [a.cpu / b.cpu for a, b in zip(ours, theirs, strict=True)]
    held = (least is None or statistics.median(ops) >= least) and (most is None or statistics.median(cpu) <= most)
    return title, common.spread(ops), common.spread(cpu), "no claim" if least is None else "yes" if held else "no"


def _stall(folder: Path, runs: int) -> int:
    rows = []
    for _ in range(runs):
        result = _stopped(lambda: ours(folder, rate=20_000.0, duration_s=6.0))
        bins = decode_bins(result.latency["get"])
        p99 = percentile(bins, 99)
        rows.append((f"{p99 * 1e3:,.0f} ms", f"{percentile(bins, 50) * 1e6:,.0f} µs",
                     "yes" if 0.9 <= p99 <= 1.05 else "no"))  # fmt: skip
    common.table(["stopped 1 s of 6 s at 20,000/s: p99", "p50", "900 to 1,050 ms"], rows)
    if memtier_there():
        rate = 20_000 // CONNECTIONS
        _stopped(lambda: memtier(folder, 6, 1, f"--rate-limiting={rate}"))
        found = json.loads((folder / "memtier.json").read_text())["ALL STATS"]["Gets"]["Percentile Latencies"]
        print(f"memtier's p99 of such a run: {found['p99.00']:.2f} ms\n")
    return sum(row[-1] == "no" for row in rows)


def _stopped(run: Callable[[], Any]) -> Any:
    """Run something, and stop memcached for a second in the middle of it."""

    def stop() -> None:
        _when_asked(3 * 20_000)
        _SERVER[0].send_signal(signal.SIGSTOP)
        time.sleep(1)
        _SERVER[0].send_signal(signal.SIGCONT)

    thread = threading.Thread(target=stop)
    thread.start()
    found = run()
    thread.join()
    return found


def _when_asked(requests: int) -> None:
    """Wait until memcached has answered so many gets from now on."""
    import socket

    with socket.create_connection(("127.0.0.1", PORT)) as talk, talk.makefile("rb") as lines:

        def asked_for() -> int:
            talk.sendall(b"stats\r\n")
            found = 0
            while (line := lines.readline()) != b"END\r\n":
                if line.startswith(b"STAT cmd_get "):
                    found = int(line.split()[2])
            return found

        goal = asked_for() + requests * 9 // 10
        while asked_for() < goal:
            time.sleep(0.02)


def _open(folder: Path, runs: int) -> int:
    rows = []
    for _ in range(runs):
        result = ours(folder, rate=50_000.0, duration_s=6.0, ramp_s=1.0)
        get, late = decode_bins(result.latency["get"]), decode_bins(result.latency["lateness"])
        p50, lateness = percentile(get, 50), percentile(late, 99)
        rows.append((f"{p50 * 1e6:.0f} µs", f"{percentile(get, 99) * 1e6:,.0f} µs", f"{lateness * 1e6:,.0f} µs",
                     f"{percentile(late, 99.9) * 1e6:,.0f} µs", f"{result.achieved_rate:,.0f}",
                     f"{result.busy_cores:.2f}", "yes" if p50 < 60e-6 and lateness < 300e-6 else "no"))  # fmt: skip
    common.table(
        ["p50 at 50,000/s", "p99", "lateness p99", "lateness p99.9", "achieved", "cores at work",
         "p50 < 60 µs, lateness p99 < 300 µs"], rows,
    )  # fmt: skip
    held = sum(row[-1] == "yes" for row in rows)
    print(f"{held} of {len(rows)} runs\n")
    return int(held * 7 < 5 * len(rows))


def _memory(folder: Path, seconds: int) -> int:
    """The generator's memory while it runs: after a tenth of the time, and the most from then on."""
    sizes: list[int] = []
    done = threading.Event()
    me = os.getpid()

    def watch() -> None:
        while not done.wait(1.0):
            sizes.append(sum(_resident(pid) for pid in _descendants(me)))

    thread = threading.Thread(target=watch)
    thread.start()
    result = ours(folder, duration_s=float(seconds))
    done.set()
    thread.join()
    begin = sizes[max(1, len(sizes) // 10)] if len(sizes) > 1 else 0
    most = max(sizes[len(sizes) // 10 :], default=0)
    flat = most <= 1.2 * begin + (40 << 20)
    row = (f"{seconds} s", f"{result.counts.requests:,}", f"{begin >> 20} MiB", f"{most >> 20} MiB")
    common.table(["run", "requests", "memory after a tenth", "the most after that", "flat"], [
        (*row, "yes" if flat else "no")
    ])  # fmt: skip
    return int(not flat)


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [each for child in children if child != _SERVER[0].pid for each in (child, *_descendants(child))]


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["pymemcache"]:
        _threads(int(sys.argv[2]))
    else:
        main()
