"""A results folder and the campaigns in it."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iobench import SCHEMA_VERSION
from iobench.bins import Histogram
from iobench.errors import CannotRunError, ResultsError, UsageError, near_miss
from iobench.model import Campaign, Finding, StepResult
from iobench.results import latencies, tables
from iobench.results.files import flush_all, read_text, unwritable, write_safely
from iobench.results.histograms import decode_bins, encode_bins
from iobench.results.plan import from_json, to_json
from iobench.results.rows import rows_of
from iobench.results.schema import TABLES, schema
from iobench.texts import Phrase

if TYPE_CHECKING:
    import pyarrow as pa

try:  # where results are only looked at there may be no such thing, and nothing that runs a campaign
    import fcntl
except ImportError:  # pragma: no cover
    fcntl = None  # type: ignore[assignment]

OPERATIONS = "operations.json"  # in raw/STEP/, where a program says how long each of its operations took
TAKEN_IN = ".taken-in"  # hidden: it goes into no archive
_NONE = 1e100  # no figure is as large, in bytes and seconds as they are; what is computed of it has no end
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


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
            said = f"the results folder {self.root} cannot be read: {error.strerror}"
            if error.errno in (errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP):
                raise UsageError(f"{said}; give a folder with --results") from error
            if error.errno in (errno.EACCES, errno.EPERM):
                raise CannotRunError(f"{said}; give one of your own with --results") from error
            raise ResultsError(said) from error
        return sorted(entry.name for entry in entries if _holds_plan(entry.path))

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
        if campaign and campaign not in ids and len(starts) > 1:
            names = ", ".join(starts[:3]) + (", …" if len(starts) > 3 else "")
            raise UsageError(
                f"{len(starts)} campaigns in {self.root} begin with {campaign!r} ({names}); give more of the id"
            )
        if not campaign or (campaign not in ids and len(starts) != 1):
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
            raise unwritable(folder.path, error) from error
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
            raise unwritable(folder.path, error) from error


def _holds_plan(folder: str) -> bool:
    try:
        return Path(folder, "campaign.json").is_file()
    except PermissionError:
        return True  # another user's: whoever opens it is told so
    except OSError:
        return False


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
            data = json.loads(read_text(where))
            version = data.get("schema_version")
            if isinstance(version, int) and version != SCHEMA_VERSION:
                raise ResultsError(
                    f"{where} has schema version {version}; this iobench reads version {SCHEMA_VERSION}: "
                    "use the iobench that wrote it, or update this one"
                )
            return from_json(data)
        except OSError as error:
            raise ResultsError(f"{where} cannot be read: {error.strerror}") from error
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            why = f"{where} is not a campaign that iobench wrote: {_why(error)}"
            raise ResultsError(f"{why}; restore it from its archive, or remove it") from error

    def replan(self, campaign: Campaign) -> None:
        """Write the plan anew, whole or not at all: steps were added to it. Raises ResultsError."""
        write_safely(self.path / "campaign.json", json.dumps(to_json(campaign), ensure_ascii=False, indent=1))

    def raw(self, step: str) -> Path:
        """Return the folder for a step's raw outputs, made when it is not there."""
        folder = self.path / "raw" / step
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from error
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

    def note_taken_in(self) -> None:
        """Note that others may have made the campaign. Raises ResultsError."""
        write_safely(self.path / TAKEN_IN, "")

    def taken_in(self) -> bool:
        """Whether the campaign came as an archive: what stands in its plan is not what somebody typed here."""
        return os.path.lexists(self.path / TAKEN_IN)

    def finished(self) -> set[str]:
        """Return the ids of the steps that are whole on disk."""
        return tables.finished(self.path)

    def save(self, campaign: Campaign, result: StepResult) -> None:
        """Keep a finished step: its findings, then the tables, samples last. Raises ResultsError."""
        import pyarrow as pa

        step = result.step.id
        findings = [_finding_json(finding) for finding in result.findings]
        raw = self.raw(step)
        write_safely(raw / "findings.json", json.dumps(findings, ensure_ascii=False, indent=1))
        if operations := [dataclasses.asdict(each) for each in result.reading.operation_latencies]:
            write_safely(raw / OPERATIONS, json.dumps(operations, ensure_ascii=False, indent=1))
        flush_all(raw)
        for table, rows in rows_of(campaign, result).items():
            tables.write_rows(self.path / table / f"{step}.parquet", pa.Table.from_pylist(rows, schema=schema(table)))

    def warm_up(self) -> None:
        """Write and read an empty table and a histogram once, so that the libraries are loaded before it counts."""
        import io

        import pyarrow.parquet as pq

        pq.write_table(schema("series").empty_table(), io.BytesIO())
        decode_bins(encode_bins({1: 1}))

    def findings(self, step: str) -> list[dict[str, Any]]:
        """Return a step's reasons, each with its `sentence` in English and as data (`told_of`); none of a valid one."""
        return self._raw_list(step, "findings.json", lambda told: _texts(told, "reason", "sentence"))

    def operations(self, step: str) -> list[dict[str, Any]]:
        """Return a step's operations (op, count, latency_mean and latency_max in s), where its program tells them."""
        figures = ("count", "latency_mean", "latency_max")
        return self._raw_list(
            step, OPERATIONS, lambda told: _texts(told, "op") and all(_is_figure(told.get(name)) for name in figures)
        )

    def _raw_list(self, step: str, name: str, right: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        path = self.path / "raw" / step / name
        try:
            loaded: list[dict[str, Any]] = json.loads(read_text(path))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ResultsError(f"{path} cannot be read: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise ResultsError(f"{path} cannot be read: {error}") from error
        if not isinstance(loaded, list) or not all(isinstance(told, dict) and right(told) for told in loaded):
            raise ResultsError(f"{path} does not hold what iobench writes there; restore the campaign from its archive")
        return loaded

    def command(self, step: str) -> Mapping[str, Any]:
        """Return what was run in a step (argv, exit code, times); empty where it was not kept (an import)."""
        try:
            kept = json.loads(read_text(self.path / "raw" / step / "command.json"))
        except (OSError, ValueError, RecursionError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return a table, or some of its columns. Raises ResultsError for a foreign, broken or newer file, named."""
        # While a campaign runs nothing is written for whoever looks: it would stand in what is measured.
        return tables.read(self.path, table, columns, keep=lambda: not self.running())

    def columns(self, table: str, *names: str) -> dict[str, list[Any]]:
        """Return some columns of a table as lists of what Python has of them.

        Raises ResultsError as `read` does, and where samples have what is no number.
        """
        found = tables.lists(self.read(table, names))
        measured = (found.get(name, ()) for name in ("value", "rate")) if table == "samples" else ()
        wrong = next((v for values in measured for v in values if v is not None and not abs(v) < _NONE), None)
        if wrong is not None:
            raise ResultsError(f"{self.path} has {wrong!r} for a number, which nothing gives; restore its archive")
        return found

    def latencies(self) -> dict[latencies.Key, Histogram]:
        """Return latencies by step and operation, of those that have any. Raises ResultsError as `read` does."""
        return latencies.read(self.path, keep=lambda: not self.running())

    def to_pack(self) -> int:
        """Return how many steps will be packed when they are read: 0 where a packed copy is, or are only few."""
        packed = os.path.isdir(self.path / tables.PACKED)  # noqa: PTH112 - which raises nothing
        steps = 0 if packed or self.running() else len(self.finished())
        return steps if steps >= tables.MANY else 0

    def pack(self) -> None:
        """Keep each table in one file beside those of the steps, for quick reading. Raises ResultsError."""
        tables.pack(self.path)
        latencies.read(self.path, keep=lambda: True)

    def digest(self) -> str:
        """Return the SHA-256 of what was measured, by which a report names the campaign it was made of.

        Over campaign.json, the tables and the raw outputs in the order of their paths: path, size and content
        each. Not in it are the diary, the packed copy and reports, which change without a new number.
        """
        total = Digest()
        for path in self.contents():
            total.add(path.relative_to(self.path).as_posix(), self.content(path))
        return total.hex

    def content(self, path: Path) -> bytes:
        """Return what a file of the campaign holds. Raises ResultsError."""
        try:
            return path.read_bytes()
        except OSError as error:
            raise ResultsError(f"{path} cannot be read: {error.strerror}") from error

    def beside(self) -> list[Path]:
        """Return the files that stand beside what was measured and go with it: the diary, drives' health, a sheet."""
        # What is prepared on a drive is true of this machine only.
        kept = [p for p in sorted(self.path.glob("*.json*")) if p.name not in ("campaign.json", "prepared.json")]
        return [p for p in kept if _is_plain(p) and not p.name.startswith(".")]

    def contents(self) -> list[Path]:
        """Return the files that make up the campaign, in the order of their paths: the plan, the tables, raw/."""
        found = [self.path / "campaign.json"]
        for name in (*TABLES, "raw"):
            for folder, folders, names in os.walk(self.path / name, onerror=_unreadable):
                folders.sort()
                found += [Path(folder, each) for each in names if not each.endswith(".part")]
        files = (path for path in found if _is_plain(path))
        return sorted(files, key=lambda path: in_order(path.relative_to(self.path).as_posix()))


def _is_plain(path: Path) -> bool:
    """Whether a path is a file and no link. Raises ResultsError where that may not be known."""
    try:
        return path.is_file() and not path.is_symlink()
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {error.strerror}") from error


def _unreadable(error: OSError) -> None:
    """What is not there has nothing in it; of another folder nothing may be left out in silence."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise ResultsError(f"{error.filename} cannot be read: {error.strerror}") from error


class Digest:
    """The hash of what was measured: of each file, in the order of their paths, its path, its size and its content."""

    def __init__(self) -> None:
        self._total = hashlib.sha256()

    def add(self, name: str, content: bytes) -> None:
        """Take in a file by its path in the campaign, with slashes."""
        self._total.update(f"{name}\n{len(content)}\n".encode(errors="surrogateescape"))
        self._total.update(content)

    @property
    def hex(self) -> str:
        """The hash."""
        return self._total.hexdigest()


def in_order(name: str) -> bytes:
    """Return what a campaign's files are sorted by, whatever the machine's language."""
    return name.encode(errors="surrogateescape")


def _why(error: Exception) -> str:
    """What is wrong with a plan, in words for whoever did not write this program."""
    if isinstance(error, json.JSONDecodeError):
        return f"it is no whole JSON (line {error.lineno}: {error.msg})"
    if isinstance(error, UnicodeDecodeError):
        return "it is no text"
    if isinstance(error, KeyError):
        return f"it has no {error.args[0]!r}"
    if isinstance(error, RecursionError | AttributeError | IndexError | OverflowError):
        return "it does not have the parts that a plan has"
    if isinstance(error, TypeError) and "argument" in str(error):
        return "a part of it lacks a value, or has one too many"
    return str(error)


def _texts(told: Mapping[str, Any], *names: str) -> bool:
    return all(isinstance(told.get(name), str) for name in names)


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _NONE


def _finding_json(finding: Finding) -> dict[str, Any]:
    data = finding.said.as_json() if isinstance(finding.said, Phrase) else {}
    return {"reason": finding.reason, "sentence": finding.sentence, **data}


def new_id(now: datetime, taken: Iterable[str]) -> str:
    """Return an id for a campaign that starts now: its UTC time, made unique."""
    stem = now.strftime("%Y%m%d-%H%M%S")
    known = set(taken)
    return next(name for name in (stem, *(f"{stem}-{n}" for n in range(2, 10_000))) if name not in known)
