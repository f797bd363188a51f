"""A campaign as one file to hand on: written with the raw outputs, redacted where asked, and taken in again."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shutil
import stat
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from iobench import SCHEMA_VERSION, __version__
from iobench.errors import IobenchError, ParseError, ResultsError, UsageError
from iobench.redact import contents as redacted
from iobench.results import TABLES, CampaignFolder, Digest, Store

_ABOUT, _PLAN = "export.json", "campaign.json"
_MOST_FILES = 2_000_000
_MOST_BYTES = 64 << 30
# Unpacked, a campaign has some ten times the bytes of its archive; what has more than this fills a disk by intent.
_MOST_TIMES, _ANY_BYTES = 200, 1 << 30
_MOST_AT_ONCE = 1 << 20  # bytes: contents are copied in smaller parts, and no name that we write is as long
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the archive, the hash of what is in it, and of the campaign that it is of."""

    path: Path
    files: int
    digest: str
    redacted: bool


def is_archive(path: Path) -> bool:
    """Whether a file looks like what `iobench export` writes."""
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe would be waited for
    except (OSError, ValueError):
        return False
    try:
        return stat.S_ISREG(os.fstat(fd).st_mode) and os.read(fd, 2) == b"\x1f\x8b"
    except OSError:
        return False
    finally:
        os.close(fd)


def export(folder: CampaignFolder, to: Path, redact: bool = False) -> Exported:
    """Write a campaign into one .tar.gz; the same campaign gives the same bytes. Raises ResultsError."""
    folder.campaign()  # what cannot be read here is no use to others
    files = redacted(folder) if redact else _contents(folder)
    # A device or a pipe is written to as it is, and a link stays: to rename a file over one would take it away.
    plain = os.path.isfile(to) or not os.path.exists(to)  # noqa: PTH110, PTH113 - which raise nothing
    to = Path(os.path.realpath(to)) if plain else to
    try:
        with _placed_whole(to) if plain else to.open("wb") as raw:
            count, digest = _write(folder.id, files, raw, redact)
    except OSError as error:
        raise ResultsError(
            f"the archive cannot be written to {to}: {error.strerror or error}; choose another place with -o"
        ) from error
    return Exported(to, count, digest, redact)


def _contents(folder: CampaignFolder) -> Iterator[tuple[str, bytes]]:
    """The files of a campaign, path and content, in the order of the hash; then what stands beside."""
    for path in [*folder.contents(), *folder.beside()]:
        yield path.relative_to(folder.path).as_posix(), folder.content(path)


def _write(campaign: str, files: Iterable[tuple[str, bytes]], raw: IO[bytes], redact: bool) -> tuple[int, str]:
    """Write an archive; return how many files are in it, and the hash of what was measured."""
    count, digest = 0, Digest()
    # Without a time and a name inside, the same content is the same file.
    with (
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, content in files:
            if name == _ABOUT:
                continue
            if "/" in name or name == _PLAN:
                digest.add(name, content)
            _add(archive, f"{campaign}/{name}", content)
            count += 1
        about = {"schema_version": SCHEMA_VERSION, "iobench": __version__, "campaign": campaign, "sha256": digest.hex}
        _add(archive, f"{campaign}/{_ABOUT}", json.dumps({**about, "redacted": redact}, indent=1).encode())
    return count, digest.hex


@contextmanager
def _placed_whole(to: Path) -> Iterator[IO[bytes]]:
    """Yield a file that is at its place when it is whole; before, it has no name where the file system can do that."""
    part = to.with_name(f".{to.name}.part")
    try:
        fd = os.open(to.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666)
    except (AttributeError, OSError):
        fd = -1
    try:
        if fd < 0:
            part.unlink(missing_ok=True)  # and none that leads elsewhere is written through
        with part.open("xb") if fd < 0 else open(fd, "wb") as file:
            yield file
            file.flush()
            if fd >= 0:
                part.unlink(missing_ok=True)
                # A folder's descriptor, though the path is whole: without one, Python does not follow it to the file.
                os.link(f"/proc/self/fd/{fd}", part, src_dir_fd=fd, follow_symlinks=True)
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    archive.addfile(member, io.BytesIO(content))


def take_in(path: Path, store: Store) -> CampaignFolder:
    """Unpack an archive that `export` wrote into a results folder; return the campaign.

    Nothing but plain files under the campaign's own folder is taken. Raises ParseError for a file that is no
    such archive or is damaged, UsageError where a campaign of that name is there already, ResultsError where the
    results cannot be written.
    """
    store.ids()  # says what is wrong with a results folder that is none
    try:
        store.root.mkdir(parents=True, exist_ok=True)
        with _room(store.root) as room:
            about = _unpack(path, room)
            return _placed(path, store, room, about)
    except OSError as error:
        raise ResultsError(
            f"{path} cannot be taken into {store.root}: {error.strerror or error}; choose another folder with --results"
        ) from error


@contextmanager
def _room(root: Path) -> Iterator[Path]:
    """Yield an empty folder in the results, marked as ours: `iobench clean` knows it after a kill."""
    with ExitStack() as stack:
        try:
            from iobench.drives.workdir import WorkFolder

            folder = stack.enter_context(WorkFolder.make(str(root), f"import-{os.getpid()}-{time.time_ns()}"))
            room = Path(folder.make_folder("archive"))
        except (ImportError, AttributeError, IobenchError, OSError):  # no Linux, or a file system that keeps no owners
            stack.close()
            room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".import-", dir=root)))
        yield room


def _unpack(path: Path, room: Path) -> dict[str, object]:
    files = size = 0
    most = min(_MOST_BYTES, max(_ANY_BYTES, _MOST_TIMES * path.stat().st_size))
    try:
        with _InParts(path) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in archive:
                if member.isdir():
                    continue
                files, size = files + 1, size + member.size
                place = _place(path, room, member)
                if files > _MOST_FILES or size > most:
                    raise ParseError(f"{path} holds more than a campaign does ({files} files, {size} bytes)")
                content = archive.extractfile(member)
                if content is not None:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    with place.open("wb") as out:
                        shutil.copyfileobj(content, out)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
        raise ParseError(f"{path} is not a whole archive of iobench: {error}") from error
    except Exception as error:  # a damaged stream makes zlib raise an error of its own
        if type(error).__module__ == "zlib":
            raise ParseError(f"{path} is damaged: {error}") from error
        raise
    tops = [entry for entry in room.iterdir() if entry.is_dir()]
    try:
        about = json.loads((tops[0] / _ABOUT).read_text(encoding="utf-8")) if len(tops) == 1 else None
    except (OSError, ValueError, RecursionError):
        about = None
    if not isinstance(about, dict) or about.get("campaign") != tops[0].name:
        raise ParseError(f"{path} is an archive, but not one that `iobench export` wrote: it has no {_ABOUT}")
    return about


class _InParts(gzip.GzipFile):
    """A stream of which no more than a part is taken at once: a header of gigabytes is not read into the memory."""

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes. Raises ParseError for more of them than anything of ours has in one piece."""
        if size is None or not 0 <= size <= _MOST_AT_ONCE:
            raise ParseError(f"{self.name} has a header of {size} bytes, which no archive of iobench has")
        return super().read(size)


def _place(path: Path, room: Path, member: tarfile.TarInfo) -> Path:
    """Where a member goes. Raises ParseError for what is no plain file under one folder."""
    parts = PurePosixPath(member.name).parts
    plain = member.isfile() and len(parts) > 1 and ".." not in parts and not member.name.startswith("/")
    # What the hash is over, and the files beside: nothing else may stand in for it, as a packed copy would.
    plain = plain and (parts[1] in (*TABLES, "raw") if len(parts) > 2 else ".json" in parts[1])
    if not plain or not _ID.fullmatch(parts[0]) or "\\" in member.name or "\0" in member.name:
        raise ParseError(f"{path} holds {member.name[:100]!r}, which no archive of iobench has; it was not unpacked")
    return room.joinpath(*parts)


def _placed(path: Path, store: Store, room: Path, about: dict[str, object]) -> CampaignFolder:
    name = str(about["campaign"])
    unpacked = CampaignFolder(room / name)
    if unpacked.digest() != about.get("sha256"):
        raise ParseError(f"{path} is damaged: its files do not have the hash that it names; get it again")
    if unpacked.campaign().id != name:
        raise ParseError(f"{path} names the campaign {name} and holds {unpacked.campaign().id}")
    (unpacked.path / _ABOUT).unlink()
    final = store.root / name
    if final.exists():
        raise UsageError(f"there is a campaign {name} in {store.root} already; import it with another --results")
    unpacked.note_taken_in()
    unpacked.path.replace(final)
    return CampaignFolder(final)
