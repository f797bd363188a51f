"""The results folder: the only place where Parquet is read or written. Its schema stands here once.

RESULTS/CAMPAIGN/ holds campaign.json, the four tables with one file a step, and raw/STEP/. Every file is
written beside its place, flushed and renamed; `samples` comes last, so a step whose samples are there is
whole. packed/ has each table once more in one file, for quick reading; the files of the steps are what counts.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import re
import shutil
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iobench import SCHEMA_VERSION
from iobench.errors import CannotRunError, ResultsError, UsageError, near_miss
from iobench.model import (
    METRICS,
    Campaign,
    DataFile,
    Device,
    Emulation,
    Finding,
    LatencyBins,
    Passport,
    Service,
    Step,
    StepResult,
    Target,
    Work,
    canonical,
)
from iobench.texts import Phrase

if TYPE_CHECKING:
    import pyarrow as pa

try:  # where results are only looked at there may be no such thing, and nothing that runs a campaign
    import fcntl
except ImportError:  # pragma: no cover
    fcntl = None  # type: ignore[assignment]

TABLES = ("samples", "evidence", "series", "latency")
PACKED = "packed"
OPERATIONS = "operations.json"  # in raw/STEP/, where a program says how long each of its operations took
_VERSION_KEY = b"iobench.schema_version"
_PACKED_KEY = b"iobench.packed"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# Three significant digits hold fio's bins (exact to under 1 %) with room; an hour in nanoseconds is the top.
HISTOGRAM_TOP_NS = 3_600_000_000_000
HISTOGRAM_DIGITS = 3


@lru_cache
def schema(table: str) -> pa.Schema:
    """Return the Arrow schema of a table, with the schema version in its metadata."""
    import pyarrow as pa

    text, real, whole = pa.string(), pa.float64(), pa.int64()
    fields: dict[str, list[tuple[str, pa.DataType]]] = {
        "samples": [
            *((name, text) for name in ("campaign", "step", "host", "target", "kind")),
            ("emulated", pa.bool_()),
            *((name, text) for name in ("workload", "op", "params")),
            ("load", whole),
            ("rate", real),
            ("repeat", whole),
            *((name, text) for name in ("metric", "unit", "better")),
            ("value", real),
            ("started_at", pa.timestamp("us", tz="UTC")),
            ("duration_s", real),
            ("verdict", text),
            ("reasons", pa.list_(text)),
            ("tool", text),
        ],
        "evidence": [
            *((name, text) for name in ("campaign", "step")),
            ("tool_bytes_read", whole),
            ("tool_bytes_written", whole),
            ("device_name", text),
            ("device_bytes_read", whole),
            ("device_bytes_written", whole),
            *((name, real) for name in ("device_busy", "client_cpu", "system_cpu")),
            *((name, real) for name in ("queue_depth_asked", "queue_depth_achieved", "rate_cv", "rate_drift")),
            ("background_bytes", whole),
            ("unwritten_bytes", whole),
            ("limited_by", text),
            ("temperature_c", real),
            *((name, whole) for name in ("device_reads", "device_writes")),
            ("cache_hit_ratio", real),
            *((name, whole) for name in ("server_reads", "server_writes", "server_fsyncs")),
            *((name, real) for name in ("server_cpu", "settled_s", "device_reads_per_get")),
        ],
        "series": [("campaign", text), ("step", text), ("t_s", real), ("metric", text), ("value", real)],
        "latency": [
            *((name, text) for name in ("campaign", "step", "op", "histogram")),
            ("count", whole),
        ],
    }
    optional = {"rate", "started_at", "duration_s"} if table == "samples" else None
    required = {"campaign", "step", "limited_by"} if table == "evidence" else None
    columns = [
        pa.field(name, kind, nullable=name in optional if optional is not None else name not in (required or ()))
        for name, kind in fields[table]
    ]
    return pa.schema(columns, metadata={_VERSION_KEY: str(SCHEMA_VERSION).encode()})


class Store:
    """A results folder with the campaigns in it."""

    def __init__(self, root: Path) -> None:
        # Programs are given paths into it and start in other folders.
        self.root = root.absolute()

    def ids(self) -> list[str]:
        """Return the campaigns' ids, oldest first."""
        try:
            entries = [entry for entry in os.scandir(self.root) if _ID.fullmatch(entry.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ResultsError(f"the results folder {self.root} cannot be read: {error.strerror}") from error
        return sorted(entry.name for entry in entries if Path(entry.path, "campaign.json").is_file())

    def open(self, campaign: str) -> CampaignFolder:
        """Return a stored campaign by its id, `latest`, or the start of an id that only one has.

        Raises UsageError, with the nearest id, when there is none.
        """
        ids = self.ids()
        if not ids:
            raise UsageError(f"there is no campaign in {self.root}; `iobench run` or `iobench suite` makes one")
        if campaign == "latest":
            return CampaignFolder(self.root / ids[-1])
        starts = [known for known in ids if known.startswith(campaign)]
        if campaign not in ids and len(starts) != 1:
            raise UsageError(f"there is no campaign {campaign!r} in {self.root}; {near_miss(campaign, ids)}")
        return CampaignFolder(self.root / (campaign if campaign in ids else starts[0]))

    def create(self, campaign: Campaign) -> CampaignFolder:
        """Make a campaign's folder and write its plan. Raises ResultsError when that is not possible."""
        folder = CampaignFolder(self.root / campaign.id)
        try:
            # Exclusive: two that start in one second must not write into one folder.
            folder.path.mkdir(parents=True)
            for name in (*TABLES, "raw"):
                (folder.path / name).mkdir()
        except OSError as error:
            raise _unwritable(folder.path, error) from error
        write_safely(folder.path / "campaign.json", json.dumps(to_json(campaign), ensure_ascii=False, indent=1))
        return folder

    def remove(self, campaign: str) -> None:
        """Delete a stored campaign, by its whole id only."""
        folder = self.open(campaign)
        if folder.path.name != campaign:
            raise UsageError(f"give the whole id to delete a campaign: {folder.path.name}")
        if folder.running():
            raise CannotRunError(f"campaign {campaign} is running; end it first, then delete it")
        try:
            shutil.rmtree(folder.path)
        except OSError as error:
            raise _unwritable(folder.path, error) from error


class CampaignFolder:
    """One campaign on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def id(self) -> str:
        """The campaign's id."""
        return self.path.name

    def campaign(self) -> Campaign:
        """Return the plan. Raises ResultsError for one that cannot be read or is of a newer version."""
        where = self.path / "campaign.json"
        try:
            return from_json(json.loads(where.read_text(encoding="utf-8")))
        except OSError as error:
            raise ResultsError(f"{where} cannot be read: {error.strerror}") from error
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise ResultsError(f"{where} is not a campaign that iobench wrote: {error}") from error

    def replan(self, campaign: Campaign) -> None:
        """Write the plan anew, whole or not at all: steps were added to it. Raises ResultsError."""
        write_safely(self.path / "campaign.json", json.dumps(to_json(campaign), ensure_ascii=False, indent=1))

    def raw(self, step: str) -> Path:
        """Return the folder for a step's raw outputs, made when it is not there."""
        folder = self.path / "raw" / step
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error
        return folder

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the campaign while it runs. Raises CannotRunError when another process does."""
        with self._lock() as ours:
            if not ours:
                raise CannotRunError(
                    f"campaign {self.id} is being run by another iobench; wait for it, or end that one"
                )
            yield

    def running(self) -> bool:
        """Whether a process runs the campaign now; the lock goes with the process, however that ends."""
        with self._lock() as ours:
            return not ours

    @contextmanager
    def _lock(self) -> Iterator[bool]:
        if fcntl is None:
            yield True
            return
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            yield True  # gone, or not readable: the next step says so
            return
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = True
        except BlockingIOError:
            ours = False
        try:
            yield ours
        finally:
            os.close(fd)

    def finished(self) -> set[str]:
        """Return the ids of the steps that are whole on disk."""
        return {name for name, _ in self._files("samples")}

    def _files(self, table: str) -> list[tuple[str, int]]:
        """Return the steps that have a file in a table, with the files' sizes, in order."""
        try:
            with os.scandir(self.path / table) as entries:
                found = [(e.name, e.stat().st_size) for e in entries if e.name.endswith(".parquet")]
        except OSError:
            return []
        return sorted((name.removesuffix(".parquet"), size) for name, size in found if not name.startswith("."))

    def save(self, campaign: Campaign, result: StepResult) -> None:
        """Keep a finished step: evidence, series, latency, then samples. Raises ResultsError."""
        step = result.step.id
        rows = {
            "latency": [_latency_row(campaign.id, step, bins) for bins in result.reading.latencies],
            "series": [
                {"campaign": campaign.id, "step": step, "t_s": p.t_s, "metric": p.metric, "value": p.value}
                for p in (*result.reading.series, *result.device_series)
            ],
            "evidence": [{"campaign": campaign.id, "step": step, **_plain(dataclasses.asdict(result.evidence))}],
            "samples": list(_sample_rows(campaign, result)),
        }
        findings = [_finding_json(finding) for finding in result.findings]
        raw = self.raw(step)
        write_safely(raw / "findings.json", json.dumps(findings, ensure_ascii=False, indent=1))
        if operations := [dataclasses.asdict(each) for each in result.reading.operation_latencies]:
            write_safely(raw / OPERATIONS, json.dumps(operations, ensure_ascii=False, indent=1))
        _flush_all(raw)
        for table, content in rows.items():
            self._write(table, step, content)

    def warm_up(self) -> None:
        """Write and read an empty table and a histogram once, so that the libraries are loaded before it counts."""
        import io

        import pyarrow.parquet as pq

        pq.write_table(schema("series").empty_table(), io.BytesIO())
        decode_bins(encode_bins({1: 1}))

    def findings(self, step: str) -> list[dict[str, Any]]:
        """Return a step's reasons, each with its `sentence` in English and as data (`told_of`); none of a valid one."""
        return self._raw_list(step, "findings.json")

    def operations(self, step: str) -> list[dict[str, Any]]:
        """Return a step's operations (op, count, latency_mean and latency_max in s), where its program tells them."""
        return self._raw_list(step, OPERATIONS)

    def _raw_list(self, step: str, name: str) -> list[dict[str, Any]]:
        path = self.path / "raw" / step / name
        try:
            loaded: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        except (OSError, ValueError, RecursionError) as error:
            raise ResultsError(f"{path} cannot be read: {error}") from error
        return loaded

    def command(self, step: str) -> Mapping[str, Any]:
        """Return what was run in a step (argv, exit code, times); empty where it was not kept (an import)."""
        try:
            kept = json.loads((self.path / "raw" / step / "command.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def read(self, table: str) -> pa.Table:
        """Return a whole table. Raises ResultsError for a foreign, broken or newer file, named."""
        import pyarrow as pa

        files = self._files(table)
        finished = {name for name, _ in files} if table == "samples" else self.finished()
        files = [(name, size) for name, size in files if name in finished]
        packed = self._read_packed(table, files)
        if packed is not None:
            return packed
        paths = [self.path / table / f"{name}.parquet" for name, _ in files]
        # One after the other: threads, which wait for each other in Python here, took half as long again.
        parts = [_read_file(path, table) for path in paths]
        return pa.concat_tables(parts) if parts else schema(table).empty_table()

    def pack(self) -> None:
        """Keep each table in one file beside those of the steps, for quick reading. Raises ResultsError.

        The copy says of which files it is; where these are no longer the ones that are there, it is not read.
        """
        import pyarrow.parquet as pq

        finished = self.finished()
        folder = self.path / PACKED
        try:
            folder.mkdir(exist_ok=True)
            for table in TABLES:
                files = [(name, size) for name, size in self._files(table) if name in finished]
                whole = self.read(table)
                told = {**(whole.schema.metadata or {}), _PACKED_KEY: _fingerprint(files)}
                with _replacing(folder / f"{table}.parquet") as temporary:
                    pq.write_table(whole.replace_schema_metadata(told), temporary, compression="zstd")
        except OSError as error:
            raise _unwritable(folder, error) from error

    def _read_packed(self, table: str, files: Sequence[tuple[str, int]]) -> pa.Table | None:
        """Return a table from its packed copy; None where that is not there, or is not of these files."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.path / PACKED / f"{table}.parquet"
        if not path.is_file():
            return None
        try:
            with pq.ParquetFile(path) as file:
                told = (file.schema_arrow.metadata or {}).get(_PACKED_KEY)
                return _checked(file.read(), table, path) if told == _fingerprint(files) else None
        except (OSError, pa.ArrowException, ResultsError):
            return None  # only a copy: the files that it was made of are read instead

    def digest(self) -> str:
        """Return the SHA-256 of what was measured, by which a report names the campaign it was made of.

        Over campaign.json, the tables and the raw outputs in the order of their paths: path, size and content
        each. Not in it are the diary, the packed copy and reports, which change without a new number.
        """
        total = hashlib.sha256()
        try:
            for path in self.contents():
                content = path.read_bytes()
                total.update(f"{path.relative_to(self.path).as_posix()}\n{len(content)}\n".encode())
                total.update(content)
        except OSError as error:
            raise ResultsError(f"{self.path} cannot be read: {error.strerror}") from error
        return total.hexdigest()

    def beside(self) -> list[Path]:
        """Return the files that stand beside what was measured and go with it: the diary, drives' health, a sheet."""
        # What is prepared on a drive is true of this machine only.
        kept = [p for p in sorted(self.path.glob("*.json*")) if p.name not in ("campaign.json", "prepared.json")]
        return [p for p in kept if p.is_file() and not p.is_symlink() and not p.name.startswith(".")]

    def contents(self) -> list[Path]:
        """Return the files that make up the campaign, in the order of their paths: the plan, the tables, raw/."""
        found = [self.path / "campaign.json"]
        for name in (*TABLES, "raw"):
            for folder, folders, names in os.walk(self.path / name):
                folders.sort()
                found += [Path(folder, each) for each in names if not each.endswith(".part")]
        files = (path for path in found if path.is_file() and not path.is_symlink())
        return sorted(files, key=lambda path: path.relative_to(self.path).as_posix().encode(errors="surrogateescape"))

    def _write(self, table: str, step: str, rows: Sequence[Mapping[str, Any]]) -> None:
        import pyarrow as pa

        write_rows(self.path / table / f"{step}.parquet", pa.Table.from_pylist(list(rows), schema=schema(table)))


def write_rows(path: Path, rows: pa.Table) -> None:
    """Write the rows of one step, whole or not at all. Raises ResultsError."""
    import pyarrow.parquet as pq

    try:
        with _replacing(path) as temporary:
            pq.write_table(rows, temporary)
    except OSError as error:
        raise _unwritable(path, error) from error


def _read_file(path: Path, table: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:  # read_table would load pandas and look for a data set
            part = file.read(use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise ResultsError(f"{path} is not a Parquet file that can be read: {error}") from error
    return _checked(part, table, path)


def _fingerprint(files: Sequence[tuple[str, int]]) -> bytes:
    """Return what a packed copy is of: how many steps, and a hash of their names and sizes."""
    names = hashlib.sha256("".join(f"{name}\n{size}\n" for name, size in files).encode(errors="surrogateescape"))
    return f"{len(files)} {names.hexdigest()}".encode()


def _checked(part: pa.Table, table: str, path: Path) -> pa.Table:
    version = (part.schema.metadata or {}).get(_VERSION_KEY)
    if version is None:
        raise ResultsError(f"{path} was not written by iobench: it carries no schema version")
    if version != str(SCHEMA_VERSION).encode():
        raise ResultsError(
            f"{path} has schema version {version.decode(errors='replace')}; this iobench reads version "
            f"{SCHEMA_VERSION}: use the iobench that wrote it, or update this one"
        )
    wanted = schema(table)
    if part.schema.equals(wanted):
        return part.replace_schema_metadata(wanted.metadata)
    if table == "evidence":
        part = _with_later_columns(part, wanted)
    missing = [name for name in wanted.names if name not in part.schema.names]
    if missing:
        raise ResultsError(f"{path} lacks the columns {', '.join(missing)}; it was not written whole by iobench")
    try:
        return part.select(wanted.names).cast(wanted)
    except ValueError as error:  # ArrowInvalid is one
        raise ResultsError(f"{path} has columns of another kind than iobench writes: {error}") from error


# Evidence's columns that came later: null in what was kept before.
_LATER = (
    *("device_reads", "device_writes", "cache_hit_ratio", "server_reads", "server_writes", "server_fsyncs"),
    *("server_cpu", "settled_s", "device_reads_per_get"),
)


def _with_later_columns(part: pa.Table, wanted: pa.Schema) -> pa.Table:
    import pyarrow as pa

    for name in _LATER:
        if name not in part.schema.names:
            part = part.append_column(wanted.field(name), pa.nulls(part.num_rows, wanted.field(name).type))
    return part


# --- files ---------------------------------------------------------------------------------------------


class _replacing:
    """Write to a file beside the place, flush it, then rename it over: whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.name}.part")

    def __enter__(self) -> Path:
        return self._temporary

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is not None:
            self._temporary.unlink(missing_ok=True)
            return
        flush(self._temporary)
        self._temporary.replace(self._path)
        flush(self._path.parent)


def flush(path: Path) -> None:
    """Bring a file or a folder's entries to the disk."""
    if os.name != "posix":  # a folder cannot be opened there, and nothing is measured there
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _flush_all(folder: Path) -> None:
    """Bring a folder's files, which programs wrote, to the disk."""
    try:
        for path in folder.iterdir():
            flush(path)
        flush(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error


def write_safely(path: Path, text: str) -> None:
    """Write a text file whole or not at all. Raises ResultsError when that is not possible."""
    try:
        with _replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ResultsError:
    return ResultsError(
        f"the results cannot be written to {path}: {error.strerror or error}; make room or choose another "
        "folder with --results. Finished steps are kept: `iobench resume` goes on"
    )


# --- rows ----------------------------------------------------------------------------------------------


def _sample_rows(campaign: Campaign, result: StepResult) -> Iterator[dict[str, Any]]:
    work = result.step.work
    passport = campaign.passports[result.step.target]
    for sample in result.reading.samples:
        metric = METRICS[sample.metric]
        yield {
            "campaign": campaign.id,
            "step": result.step.id,
            "host": str(campaign.host.get("name", "")),
            "target": result.step.target,
            "kind": passport.kind,
            "emulated": passport.emulated,
            "workload": work.workload,
            "op": sample.op,
            "params": canonical(work.params),
            "load": work.load,
            "rate": work.rate,
            "repeat": result.step.repeat,
            "metric": metric.name,
            "unit": metric.unit,
            "better": metric.better.value,
            "value": sample.value,
            "started_at": result.started_at,
            "duration_s": result.reading.measured_s,
            "verdict": result.verdict.value,
            "reasons": list(dict.fromkeys(finding.reason for finding in result.findings)),
            "tool": result.tool,
        }


def _finding_json(finding: Finding) -> dict[str, Any]:
    data = finding.said.as_json() if isinstance(finding.said, Phrase) else {}
    return {"reason": finding.reason, "sentence": finding.sentence, **data}


def _latency_row(campaign: str, step: str, latency: LatencyBins) -> dict[str, Any]:
    return {
        "campaign": campaign,
        "step": step,
        "op": latency.op,
        "histogram": encode_bins(latency.bins),
        "count": sum(latency.bins.values()),
    }


def encode_bins(bins: Mapping[int, int]) -> str:
    """Return latency bins (nanoseconds -> count) as an encoded HDR histogram (text, V2, base64)."""
    from hdrh.histogram import HdrHistogram

    histogram = HdrHistogram(1, HISTOGRAM_TOP_NS, HISTOGRAM_DIGITS)
    for value, count in bins.items():
        histogram.record_value(min(max(1, value), HISTOGRAM_TOP_NS), count)
    encoded: bytes = histogram.encode()
    return encoded.decode("ascii")


def decode_bins(text: str) -> dict[int, int]:
    """Return the bins (nanoseconds -> count) of an encoded HDR histogram.

    A value is the lower edge of its bin: within 0.1 % of what was recorded. Raises ResultsError when the
    text is none.
    """
    from hdrh.histogram import HdrHistogram

    try:
        raw = base64.b64decode(text, validate=True)
        if (slots := _slots(raw)) is not None:
            return {_edge(slot): count for slot, count in slots}
        # Of other bounds than ours, or spoilt: the library reads it, or says what is wrong.
        import numpy as np

        histogram = HdrHistogram.decode(text.encode("ascii"))
        counts = np.ctypeslib.as_array(histogram.encoder.payload.counts)
        return {histogram.get_value_from_index(i): int(counts[i]) for i in np.flatnonzero(counts).tolist()}
    except Exception as error:  # the library raises its own, zlib's and struct's errors alike
        raise ResultsError(f"a latency histogram in the results cannot be decoded: {error}") from error


# The outer and the inner cookie of HdrHistogram's format V2, and its inner header: cookie, length of the counts,
# offset, digits, lowest and highest value, ratio.
_COOKIES = (0x1C849314, 0x1C849313)
_HEADER = struct.Struct(">IIIIQQd")
_MOST_PAYLOAD = 1 << 20
_HALF = 10  # bits: of three digits, 1024 slots each time that values double


def _slots(raw: bytes) -> list[tuple[int, int]] | None:
    """Return the filled slots (number, count) of a histogram that `encode_bins` made; None for any other.

    Twice as fast as the library, which makes a table of all slots for each. Raises ValueError, or
    an error of zlib or struct.
    """
    cookie, length = struct.unpack_from(">II", raw)
    unpacked = zlib.decompressobj()
    inner = unpacked.decompress(raw[8 : 8 + length], _MOST_PAYLOAD)
    if unpacked.unconsumed_tail:  # a few bytes that would fill the memory
        raise ValueError(f"it unpacks to more than {_MOST_PAYLOAD} bytes")
    inner_cookie, size, offset, digits, lowest, _, ratio = _HEADER.unpack_from(inner)
    ours = (cookie, inner_cookie, offset, digits, lowest, ratio) == (*_COOKIES, 0, HISTOGRAM_DIGITS, 1, 1.0)
    counts = inner[_HEADER.size : _HEADER.size + size]
    if not ours or not unpacked.eof or len(counts) != size:
        return None
    found: list[tuple[int, int]] = []
    slot = value = shift = 0
    for byte in counts:
        # Seven bits at a time, the ninth byte whole; a number below 0 is a run of empty slots.
        value |= (byte if shift == 56 else byte & 0x7F) << shift
        if byte & 0x80 and shift < 56:
            shift += 7
            continue
        count = (value >> 1) ^ -(value & 1)
        if count > 0:
            found.append((slot, count))
        slot += 1 if count >= 0 else -count
        value = shift = 0
    return found if not shift and slot <= _SLOTS else None


_SLOTS = 33_792  # up to HISTOGRAM_TOP_NS


def _edge(slot: int) -> int:
    """Return the lowest value of a slot."""
    bucket = max(0, (slot >> _HALF) - 1)
    return (slot - (bucket << _HALF)) << bucket


# --- campaign.json -------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


def to_json(campaign: Campaign) -> dict[str, Any]:
    """Return a campaign as what campaign.json holds. A work stands once, however many steps share it."""
    works: list[Work] = []
    steps = []
    for step in campaign.steps:
        if step.work not in works:
            works.append(step.work)
        steps.append({"id": step.id, "target": step.target, "repeat": step.repeat, "work": works.index(step.work)})
    plain: dict[str, Any] = _plain(
        {
            field.name: getattr(campaign, field.name)
            for field in dataclasses.fields(campaign)
            if field.name not in ("steps", "passports")
        }
    )
    return {
        "schema_version": SCHEMA_VERSION,
        **plain,
        "passports": {name: _plain(dataclasses.asdict(p)) for name, p in campaign.passports.items()},
        "works": [_plain(dataclasses.asdict(work)) for work in works],
        "steps": steps,
    }


def from_json(data: Mapping[str, Any]) -> Campaign:
    """Return the campaign that `to_json` wrote. Raises LookupError, TypeError, AttributeError or ValueError else."""
    if data["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"it has schema version {data['schema_version']}, this iobench reads {SCHEMA_VERSION}")
    works = [_work(entry) for entry in data["works"]]
    return Campaign(
        id=data["id"],
        created_at=datetime.fromisoformat(data["created_at"]).astimezone(UTC),
        profile=data["profile"],
        title=data["title"],
        rounds=data["rounds"],
        steps=tuple(Step(s["id"], s["target"], s["repeat"], works[s["work"]]) for s in data["steps"]),
        passports={name: _passport(entry) for name, entry in data["passports"].items()},
        host=data["host"],
        tools=data["tools"],
        imported=data["imported"],
        notes=tuple(data["notes"]),
        director=data.get("director"),
        limits=data.get("limits"),
    )


def _work(data: Mapping[str, Any]) -> Work:
    source = DataFile(**data["source"]) if data["source"] else None
    files = tuple(DataFile(**entry) for entry in data["files"])
    service = Service(**data["service"]) if data.get("service") else None
    tree = DataFile(**data["tree"]) if data.get("tree") else None
    fresh = tuple(data["fresh"])
    return Work(**{**data, "files": files, "source": source, "fresh": fresh, "service": service, "tree": tree})


def _passport(data: Mapping[str, Any]) -> Passport:
    emulation = data["emulation"]
    if emulation is not None:
        emulation = Emulation(**{**emulation, "notes": tuple(emulation["notes"])})
    device = Device(**data["device"]) if data["device"] else None
    return Passport(**{**data, "target": Target(**data["target"]), "device": device, "emulation": emulation})


def new_id(now: datetime, taken: Iterable[str]) -> str:
    """Return an id for a campaign that starts now: its UTC time, made unique."""
    stem = now.strftime("%Y%m%d-%H%M%S")
    known = set(taken)
    return next(name for name in (stem, *(f"{stem}-{n}" for n in range(2, 10_000))) if name not in known)
