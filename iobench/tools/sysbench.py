"""sysbench's OLTP scripts: how to ask them, and pure parsers of what is said: our JSON lines, and its own text.

The scripts are sysbench's own. A Lua file of ours (`lua/reports.lua`) hangs on its hooks `report_intermediate` and
`report_cumulative` and prints what was counted as JSON. Only the latency histogram comes as sysbench prints
it (`--histogram`): it is emptied before the hook of the last report is called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iobench.errors import ParseError

PROFILES = ("read_write", "read_only", "write_only", "point_select")
REPORT_S = 1  # seconds between two points of the series
SHUTDOWN_S = 20  # a transaction that hangs is given up this long after the time is over
_LUA = Path(__file__).parent / "lua"
_COUNTS = ("events", "reads", "writes", "other", "errors", "reconnects")
_MOST_S = 1e9
_MOST_COUNT = 10**18


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of a run. Times in whole seconds, `rate` in transactions per second (0: as fast as it goes)."""

    profile: str
    tables: int
    rows: int
    threads: int
    ramp_s: int
    duration_s: int
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """What was counted in `seconds`, which ended at `at` (monotonic clock). Latencies in seconds; None is not told."""

    seconds: float
    transactions: int
    reads: int
    writes: int
    other: int
    errors: int
    reconnects: int
    latency_mean: float | None = None
    latency_max: float | None = None
    at: float | None = None

    @property
    def queries(self) -> int:
        """Statements of all kinds, those that begin and end a transaction among them."""
        return self.reads + self.writes + self.other


@dataclass(frozen=True, slots=True)
class Run:
    """A run: the measured window, each second of it, and its latencies (nanoseconds -> how many)."""

    measured: Report
    seconds: tuple[Report, ...]
    bins: dict[int, int]


def argv(load: Load, config: str, lua: str | None = None) -> tuple[str, ...]:
    """Return the command of a run. `config` is a file with what connects to the server, the password among it."""
    ramp = (f"--report-checkpoints={load.ramp_s}",) if load.ramp_s else ()
    return (
        *_common(config, load.tables, load.rows, load.threads),
        f"--time={load.ramp_s + load.duration_s}",
        "--events=0",
        "--rand-type=uniform",  # the default draws a few hot rows, which any cache holds
        f"--rate={_rate(load.rate)}",
        f"--report-interval={REPORT_S}",
        *ramp,
        "--histogram=on",
        f"--forced-shutdown={SHUTDOWN_S}",
        lua or str(_LUA / f"{load.profile}.lua"),
        "run",
    )


def _rate(rate: float) -> int:
    """Sysbench takes whole transactions per second."""
    return max(1, round(rate)) if rate else 0


def prepare(config: str, tables: int, rows: int, threads: int) -> tuple[str, ...]:
    """Return the command that makes and fills the tables."""
    return (*_common(config, tables, rows, threads), "oltp_common", "prepare")


def _common(config: str, tables: int, rows: int, threads: int) -> tuple[str, ...]:
    return (
        "sysbench",
        f"--config-file={config}",
        "--db-driver=mysql",
        f"--tables={tables}",
        f"--table-size={rows}",
        f"--threads={threads}",
    )


def config(connection: Mapping[str, str | int]) -> str:
    """Return the text of a configuration file: `host`, `port`, `socket`, `user`, `password`, `db`.

    Raises ValueError for a value that sysbench's file cannot hold (a line break; both kinds of quotes).
    """
    lines = []
    for name, value in connection.items():
        text = str(value)
        quote = next((q for q in ('"', "'") if q not in text), None)
        if quote is None or "\n" in text or "\0" in text or len(text.encode()) > 200:
            raise ValueError(f"sysbench's configuration file cannot hold this {name}")
        lines.append(f"mysql-{name}={quote}{text}{quote}\n" if text else f"mysql-{name}=\n")
    return "".join(lines)


# --- our JSON ------------------------------------------------------------------------------------------


def parse(text: str, ramp_s: int, name: str = "sysbench's output") -> Run:
    """Return what a run with our reports said, the first `ramp_s` seconds left out.

    Raises ParseError, naming the file, when the last report is missing or is none.
    """
    reports = list(_reports(text, name))
    cumulative = [report for kind, report, _ in reports if kind == "cumulative"]
    wanted = 2 if ramp_s else 1
    if len(cumulative) != wanted:
        raise ParseError(f"{name} has {len(cumulative)} of {wanted} full reports: it did not come to its end")
    measured = cumulative[-1]
    return Run(measured, tuple(_seconds(reports, ramp_s, measured.seconds)), parse_histogram(text))


def _seconds(reports: Sequence[tuple[str, Report, float]], ramp_s: int, length: float) -> Iterator[Report]:
    """The intermediate reports that lie in the measured window, by sysbench's own clock."""
    for kind, report, elapsed in reports:
        if kind == "intermediate" and ramp_s + 0.5 < elapsed <= ramp_s + length + 0.5:
            yield report


def _reports(text: str, name: str) -> Iterator[tuple[str, Report, float]]:
    """Yield each report: its kind, what it counted, and the seconds since the start."""
    for line in text.splitlines():
        if not line.startswith('{"report":'):
            continue
        try:
            fields = json.loads(line)
            kind, elapsed = fields["report"], _real(fields, "time_total")
            report = _report(fields)
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise ParseError(f"{name} has a report that cannot be read ({error}): {line[:120]!r}") from None
        if kind not in ("intermediate", "cumulative") or elapsed is None:
            raise ParseError(f"{name} has a report of an unknown kind: {line[:120]!r}")
        yield kind, report, elapsed


def _report(fields: Mapping[str, object]) -> Report:
    seconds = _real(fields, "time_interval")
    if not seconds:
        raise ValueError("no time_interval")
    events, reads, writes, other, errors, reconnects = (_count(fields[name]) for name in _COUNTS)
    mean, longest = (_real(fields, key) if events else None for key in ("latency_avg", "latency_max"))
    return Report(seconds, events, reads, writes, other, errors, reconnects, mean, longest, _at(fields))


def _at(fields: Mapping[str, object]) -> float | None:
    value = fields.get("at")
    return float(value) if isinstance(value, int | float) and 0 < value < 1e12 else None


def _real(fields: Mapping[str, object], key: str) -> float | None:
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < _MOST_S:
        raise ValueError(f"{key} is {value!r}")
    return float(value)


def _count(value: object) -> int:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < _MOST_COUNT:
        raise ValueError(f"{value!r} is not a count")
    return int(value)


_BIN = re.compile(r"^ *([0-9]{1,9}\.[0-9]{3}) \|[* ]{1,41} ([0-9]{1,18})$", re.MULTILINE)


def parse_histogram(text: str) -> dict[int, int]:
    """Return the last histogram that `--histogram` printed: nanoseconds -> how many. Empty where there is none.

    Each value stands for a bin of 1.8 % (1,024 bins from 1 us to 100 s).
    """
    _, there, table = text.rpartition("Latency histogram (values are in milliseconds)")
    bins: dict[int, int] = {}
    for value, count in _BIN.findall(table if there else ""):
        ns = round(float(value) * 1e6)
        bins[ns] = bins.get(ns, 0) + int(count)
    return {ns: count for ns, count in bins.items() if ns > 0 and count > 0}


def fatal(text: str) -> str | None:
    """Return what sysbench said when it gave up; None where it did not."""
    lines = [line for line in text.splitlines() if line.startswith(("FATAL:", "ALERT:"))]
    return lines[0].partition(":")[2].strip() if lines else None


# --- its own text --------------------------------------------------------------------------------------

_NUMBER = r"([0-9]{1,15}(?:\.[0-9]{1,9})?)"
_HEAD = re.compile(r"^sysbench (v?[0-9][\w.]{0,20})", re.MULTILINE)
_LINES = {
    "threads": re.compile(r"^Number of threads: ([0-9]{1,7})\s*$", re.MULTILINE),
    "rate": re.compile(rf"^Target transaction rate: {_NUMBER}/sec\s*$", re.MULTILINE),
    "reads": re.compile(r"^\s+read: +([0-9]{1,18})\s*$", re.MULTILINE),
    "writes": re.compile(r"^\s+write: +([0-9]{1,18})\s*$", re.MULTILINE),
    "other": re.compile(r"^\s+other: +([0-9]{1,18})\s*$", re.MULTILINE),
    "transactions": re.compile(r"^\s+transactions: +([0-9]{1,18}) +\(", re.MULTILINE),
    "per_second": re.compile(rf"^\s+transactions: +[0-9]{{1,18}} +\({_NUMBER} per sec\.\)", re.MULTILINE),
    "errors": re.compile(r"^\s+(?:ignored errors|deadlocks): +([0-9]{1,18}) +\(", re.MULTILINE),
    "reconnects": re.compile(r"^\s+reconnects: +([0-9]{1,18}) +\(", re.MULTILINE),
    "seconds": re.compile(rf"^\s+(?:total time|time elapsed): +{_NUMBER}s\s*$", re.MULTILINE),
    "mean": re.compile(rf"^\s+avg: +{_NUMBER}(?:ms)?\s*$", re.MULTILINE),
    "longest": re.compile(rf"^\s+max: +{_NUMBER}(?:ms)?\s*$", re.MULTILINE),
}
_PERCENTILE = re.compile(rf"^\s+(?:approx\.\s+)?([0-9]{{1,2}})(?:th)? percentile: +{_NUMBER}(?:ms)?\s*$", re.MULTILINE)
_SECOND = re.compile(rf"^\[ *([0-9]{{1,9}})s ?\] thds: [0-9]+ tps: {_NUMBER} ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TextRun:
    """What sysbench's own text tells of an OLTP run. `percentile` is (which, seconds); `rates` are (s, 1/s)."""

    version: str
    threads: int
    rate: float | None
    report: Report
    percentile: tuple[int, float] | None
    rates: tuple[tuple[float, float], ...]
    bins: dict[int, int]


def _counted_s(total_s: float, transactions: int, per_second: Sequence[str]) -> float:
    """The seconds in which the transactions were counted.

    With `--report-checkpoints` the total time is that of the whole run, and only the rate tells of the rest.
    """
    rate = float(per_second[-1]) if per_second else 0.0
    counted_s = transactions / rate if rate > 0 else total_s
    return counted_s if counted_s < 0.98 * total_s else total_s


def is_text(text: str) -> bool:
    """Whether a text is what sysbench prints of an OLTP run."""
    return _HEAD.search(text) is not None and _LINES["transactions"].search(text) is not None


def parse_text(text: str, name: str = "sysbench's output") -> TextRun:
    """Return what sysbench's own text says. Raises ParseError, naming the file, for another or a cut one."""
    head, found = _HEAD.search(text), {key: pattern.findall(text) for key, pattern in _LINES.items()}
    if head is None:
        raise ParseError(f"{name} does not begin as sysbench's output does")
    lacking = [key for key in ("threads", "transactions", "reads", "writes", "other", "seconds") if not found[key]]
    if lacking:
        raise ParseError(f"{name} is no whole OLTP output of sysbench: it does not tell {', '.join(lacking)}")

    def whole(key: str) -> int:
        return int(found[key][-1]) if found[key] else 0

    def milliseconds(key: str) -> float | None:
        return float(found[key][-1]) / 1000 if found[key] and whole("transactions") else None

    seconds = _counted_s(float(found["seconds"][-1]), whole("transactions"), found["per_second"])
    if not 0 < seconds < _MOST_S or not whole("threads") > 0:
        raise ParseError(f"{name} says {whole('threads')} threads in {seconds:g} s: no rate follows from that")
    report = Report(
        seconds,
        whole("transactions"),
        whole("reads"),
        whole("writes"),
        whole("other"),
        whole("errors"),
        whole("reconnects"),
        milliseconds("mean"),
        milliseconds("longest"),
    )
    percentile = _PERCENTILE.findall(text)
    return TextRun(
        version=head[1],
        threads=whole("threads"),
        rate=float(found["rate"][-1]) if found["rate"] else None,
        report=report,
        percentile=(int(percentile[-1][0]), float(percentile[-1][1]) / 1000) if percentile else None,
        rates=tuple((float(t), float(tps)) for t, tps in _SECOND.findall(text)),
        bins=parse_histogram(text),
    )
