"""An archive comes back as it was; what is damaged, foreign or hostile is refused and leaves nothing."""

import contextlib
import gzip
import io
import json
import os
import random
import stat
import subprocess
import sys
import tarfile
import threading
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from processes import opened
from stored import Measured, make_campaign

from iobench.campaign import archive
from iobench.cli.clean import looked_in
from iobench.cli.main import run
from iobench.drives.leftovers import find_leftovers, remove_leftover
from iobench.errors import EXIT_TOOL, EXIT_USAGE, ParseError, ResultsError, UsageError
from iobench.results import TAKEN_IN, CampaignFolder, Store


@pytest.fixture
def folder(tmp_path: Path) -> CampaignFolder:
    made = make_campaign(tmp_path / "results", Measured("sas", {"throughput": [1e8, 2e8]}))
    (made.raw(min(made.finished())) / "stdout").write_bytes(b"raw \xff words")
    (made.path / "journal.jsonl").write_text('{"event": "ended"}\n')
    (made.path / "report").mkdir()
    (made.path / "report" / "report.html").write_text("derived")
    return made


def files_of(folder: CampaignFolder) -> dict[str, bytes]:
    files = (p for p in folder.path.rglob("*") if p.is_file() and p.name != TAKEN_IN)
    return {str(p.relative_to(folder.path)): p.read_bytes() for p in files}


def test_what_was_written_comes_back(folder: CampaignFolder, tmp_path: Path) -> None:
    out = archive.export(folder, tmp_path / "a.tar.gz")
    taken = archive.take_in(out.path, Store(tmp_path / "elsewhere"))
    expected = {name: content for name, content in files_of(folder).items() if not name.startswith("report")}
    assert files_of(taken) == expected and taken.digest() == folder.digest() == out.digest
    assert archive.export(taken, tmp_path / "b.tar.gz").digest == out.digest
    assert (tmp_path / "b.tar.gz").read_bytes() == out.path.read_bytes()
    with pytest.raises(UsageError, match="already; import it with another --results"):
        archive.take_in(out.path, Store(tmp_path / "elsewhere"))


def test_at_the_command_line(folder: CampaignFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where, other = str(tmp_path / "results"), str(tmp_path / "other")
    assert run(["export", "latest", "-o", str(tmp_path / "x.tgz"), "--results", where, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sha256"] == folder.digest() and not told["redacted"]
    assert run(["import", str(tmp_path / "x.tgz"), "--results", other]) == 0
    assert "2 finished step(s) taken in" in capsys.readouterr().out
    assert run(["export", "-o", str(tmp_path / "no" / "x.tgz"), "--results", where]) == EXIT_TOOL
    assert "choose another place with -o" in capsys.readouterr().err
    assert run(["import", str(tmp_path / "x.tgz"), "--results", other]) == EXIT_USAGE


def test_what_it_is_written_to_stays_what_it_is(folder: CampaignFolder, tmp_path: Path) -> None:
    """To rename a file over it took /dev/null away, where root asked for that."""
    content = archive.export(folder, tmp_path / "a.tar.gz").path.read_bytes()
    pipe, link, device = tmp_path / "pipe", tmp_path / "link", tmp_path / "null"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    archive.export(folder, pipe)
    reader.join(30)
    assert got == [content] and pipe.is_fifo()
    link.symlink_to(tmp_path / "real")
    archive.export(folder, link)
    assert link.is_symlink() and (tmp_path / "real").read_bytes() == content
    with contextlib.suppress(PermissionError):
        os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        with contextlib.suppress(ResultsError):  # devices may not be opened there
            archive.export(folder, device)
        assert device.is_char_device()
    assert not list(tmp_path.glob(".*.part"))


def test_a_place_that_cannot_be_looked_at_is_told(folder: CampaignFolder, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="choose another place"):
        archive.export(folder, tmp_path / ("x" * 300))


def test_a_damaged_archive_is_refused(folder: CampaignFolder, tmp_path: Path) -> None:
    whole = archive.export(folder, tmp_path / "a.tar.gz").path.read_bytes()
    store = Store(tmp_path / "elsewhere")
    broken = tmp_path / "b.tar.gz"
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for content in (whole[: len(whole) // 2], whole[:20], bytes(flipped), gzip.compress(b"no tar"), gzip.compress(b"")):
        broken.write_bytes(content)
        with pytest.raises(ParseError):
            archive.take_in(broken, store)
    assert store.ids() == [] and list(store.root.iterdir()) == []


def test_a_changed_number_is_found(folder: CampaignFolder, tmp_path: Path) -> None:
    packed = archive.export(folder, tmp_path / "a.tar.gz").path
    with tarfile.open(packed) as old, tarfile.open(tmp_path / "b.tar.gz", "w:gz") as new:
        for member in old:
            content = old.extractfile(member)
            assert content is not None
            data = content.read().replace(b"raw ", b"war ")
            new.addfile(member, io.BytesIO(data))
    with pytest.raises(ParseError, match="do not have the hash"):
        archive.take_in(tmp_path / "b.tar.gz", Store(tmp_path / "elsewhere"))


def test_a_copy_for_quick_reading_is_not_taken_from_others(folder: CampaignFolder, tmp_path: Path) -> None:
    """It is not in the hash: it could show other numbers than those that the hash names."""
    packed = archive.export(folder, tmp_path / "a.tar.gz").path
    folder.pack()
    with tarfile.open(packed) as old, tarfile.open(tmp_path / "b.tar.gz", "w:gz") as new:
        for member in old:
            new.addfile(member, old.extractfile(member))
        new.add(folder.path / "packed" / "samples.parquet", f"{folder.id}/packed/samples.parquet")
    with pytest.raises(ParseError, match=r"packed/samples\.parquet', which no archive of iobench has"):
        archive.take_in(tmp_path / "b.tar.gz", Store(tmp_path / "elsewhere"))


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "20250101-000000/../../x", "a", "-x/y", "a/b\\c", "a/report/x.html", "a/x.sh"]
)
def test_no_file_leaves_its_folder(name: str, tmp_path: Path) -> None:
    hostile = tmp_path / "h.tar.gz"
    with tarfile.open(hostile, "w:gz") as made:
        member = tarfile.TarInfo(name)
        member.size = 1
        made.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(ParseError, match="was not unpacked"):
        archive.take_in(hostile, Store(tmp_path / "results"))
    assert list((tmp_path / "results").iterdir()) == []


def test_no_link_is_followed(tmp_path: Path) -> None:
    hostile = tmp_path / "h.tar.gz"
    with tarfile.open(hostile, "w:gz") as made:
        member = tarfile.TarInfo("20250101-000000/raw")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc"
        made.addfile(member)
    with pytest.raises(ParseError, match="was not unpacked"):
        archive.take_in(hostile, Store(tmp_path / "results"))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_gigabytes_is_not_read_into_memory(kind: bytes, tmp_path: Path) -> None:
    hostile = tmp_path / "h.tar.gz"
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, 3 << 30
    with gzip.open(hostile, "wb", compresslevel=1) as out:
        out.write(member.tobuf(tarfile.GNU_FORMAT))
        for _ in range(64):  # 64 MiB of it are there
            out.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(ParseError, match="has a header of 3221225472 bytes"):
            archive.take_in(hostile, Store(tmp_path / "results"))
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_an_archive_that_would_fill_the_disk_is_not_unpacked(tmp_path: Path) -> None:
    """A file that is one hole: a few bytes in the archive, 60 GB when it is unpacked."""
    hostile = tmp_path / "h.tar.gz"
    with tarfile.open(hostile, "w:gz") as made:
        member = tarfile.TarInfo("20250101-000000/raw/hole")
        member.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": f"{60 << 30},0"}
        member.pax_headers |= {"GNU.sparse.size": str(60 << 30), "GNU.sparse.name": member.name}
        made.addfile(member)
    with pytest.raises(ParseError, match="holds more than a campaign does"):
        archive.take_in(hostile, Store(tmp_path / "results"))
    assert list((tmp_path / "results").iterdir()) == []


def test_a_kill_leaves_nothing_that_is_not_known(folder: CampaignFolder, tmp_path: Path) -> None:
    """Of an export nothing has a name before it is whole; of an import stays a folder that carries our marker."""
    (folder.raw("s0-1") / "much").write_bytes(random.Random(1).randbytes(48 << 20))
    out, temporary, other = tmp_path / "out", tmp_path / "temporary", tmp_path / "elsewhere"
    for place in (out, temporary, other):
        place.mkdir()
    try:
        os.close(os.open(out, os.O_TMPFILE | os.O_WRONLY))
    except OSError:
        pytest.skip("needs a file system that makes files without a name")
    for redact in ((), ("--redact",)):
        argv = ("export", folder.id, "-o", str(out / "x.tgz"), "--results", str(folder.path.parent), *redact)
        _killed(argv, temporary, lambda pid: any(str(out) in link for link in opened(pid)))
        assert list(out.iterdir()) == list(temporary.iterdir()) == []
    archive.export(folder, out / "x.tgz")
    argv = ("import", str(out / "x.tgz"), "--results", str(other))
    _killed(argv, temporary, lambda _: any("much" in names for _, _, names in os.walk(other)))
    (left,) = other.iterdir()
    assert left.name.startswith(".iobench-import-") and Store(other).ids() == []
    (other / ".iobench-import-of-somebody").mkdir()
    assert str(other) in looked_in((), other)
    found = find_leftovers(str(other))
    assert [leftover.name for leftover in found] == [left.name] and remove_leftover(found[0]) == ()
    assert [path.name for path in other.iterdir()] == [".iobench-import-of-somebody"]


def _killed(argv: Sequence[str], temporary: Path, now: Callable[[int], bool]) -> None:
    """Run a command and kill it as soon as `now` says so of its process."""
    env = {**os.environ, "TMPDIR": str(temporary)}
    process = subprocess.Popen([sys.executable, "-m", "iobench.cli.main", *argv], env=env, stdout=subprocess.DEVNULL)
    while not now(process.pid):
        assert process.poll() is None, "it was over before it could be killed"
    process.kill()
    process.wait(60)
