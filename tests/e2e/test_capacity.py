"""`iobench capacity` on real drives: a search on an emulated one, what is made of it, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running import Drive, Iobench, Result, programs

from iobench import lab, proc
from iobench.cli import main
from iobench.drives.throttle import find_throttle
from iobench.errors import CannotRunError
from iobench.tools import mariadb

Run = Callable[..., Result]
MIB = 1 << 20
N = 400
# Short points: that the search works is tested here, how well it finds is measured by benchmarks/capacity.py.
QUICK = ("--duration", "700ms", "--precision", "20%", "--size", "16Mi", "--load", "16", "--set", "rand.ramp=300ms")


Drives = Callable[..., Path]


@pytest.fixture
def emulated(monkeypatch: pytest.MonkeyPatch, drive: Drive) -> Iterator[Drives]:
    """What makes an emulated drive of so many MiB, with limits, and returns its folder."""
    base = Path(tempfile.mkdtemp(prefix="iobc-", dir="/var/tmp"))
    monkeypatch.setenv("IOBENCH_LAB_STATE", str(base / "state"))

    def make(mib: int, **limits: int) -> Path:
        (made,) = lab.up((lab.custom("limited", **limits),), mib * MIB, base / "images")
        return Path(str(made.mount))

    try:
        find_throttle().prepare()
        yield make
    except CannotRunError as error:
        pytest.skip(str(error))
    finally:
        lab.down()
        shutil.rmtree(base, ignore_errors=True)


def _in(argv: tuple[str, ...], results: Path, capfd: pytest.CaptureFixture[str]) -> Result:
    capfd.readouterr()
    code = main.run((*argv, "--results", str(results)))
    out, err = capfd.readouterr()
    return Result(code, out, err)


@pytest.mark.slow
def test_a_search_finds_a_rate_and_everything_follows_from_it(
    emulated: Drives, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One search: the figures, the report, sizing, pages, and that resuming it measures nothing more."""
    monkeypatch.chdir(tmp_path)
    limited = emulated(64, read_iops=N)
    results = tmp_path / "results"
    for _ in range(3):  # that it can be found is tested, not that this machine is idle
        said = _in(
            ("capacity", "-t", f"d={limited}", "--slo", "rand-read mean<400ms", *QUICK, "-q", "--json"), results, capfd
        )
        (found,) = said.json["searches"]
        if said.code == 0 and found["end"] == "found" and 0.5 * N < found["even"]["offered"] < 2 * N:
            break
    assert said.code == 0 and said.err == ""
    assert found["end"] == "found" and 0.5 * N < found["even"]["offered"] < 2 * N
    failed = found["first_failed"]
    assert failed["offered"] > found["even"]["offered"] and failed["why"] and not failed["holds"]
    assert found["even"]["share"] >= 0.98 and found["even"]["latency"]["latency_mean"] < 0.4
    assert {point["arrival"] for point in found["points"]} == {"closed", "even", "poisson"}
    assert all((point["offered"] is None) == (point["arrival"] == "closed") for point in found["points"])

    campaign = said.json["campaign"]
    again = _in(("resume", campaign, "-q", "--json"), results, capfd)
    assert again.json["searches"][0]["points"] == found["points"], "nothing more is asked for"

    made = _in(
        ("report", campaign, "-o", str(tmp_path / "out"), "--format", "html,csv", "--lang", "ja"), results, capfd
    )
    assert made.code == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert 'id="capacity-1"' in page and "折れ点" in page
    (points,) = (tmp_path / "out").glob("*capacity*.csv")
    assert len(points.read_text(encoding="utf-8-sig").splitlines()) == len(found["points"]) + 1

    prices = tmp_path / "prices.toml"
    prices.write_text('currency = "JPY"\neach = 100\n[[space]]\nup_to = "1GB"\nprice = 0\n')
    asked = ("--need", "10000 reads/s, 1 MB", "--page", "rand-read=20", "--prices", str(prices))
    sized = _in(("capacity", "--from", campaign, *asked, "--json"), results, capfd)
    (sizing,) = sized.json["sizing"]
    # A point of one second is not valid (too short), and nothing that is not valid sizes anything.
    assert sizing["count"] is None and sized.json["pages"] == {"d": []}
    text = _in(("capacity", "--from", campaign, *asked, "--lang", "ja"), results, capfd)
    assert text.code == 0 and "有効な測定結果がありません" in text.out


def _obeys(found: dict[str, Any], metric: str, below: float) -> None:
    """Hold the answer of a search, and the first that failed, to the rules of docs/capacity.md."""
    for point in (found["even"], found["best"]):
        assert point["latency"][metric] < below and point["share"] >= 0.94 + 0.04 * (point["arrival"] != "poisson")
        assert point["backlog_growth"] is None or point["backlog_growth"] <= 0.07 * point["offered"]
    failed = found["first_failed"]
    assert failed["offered"] > found["even"]["offered"] and failed["why"] and not failed["holds"]
    if "slo" in failed["why"]:
        assert failed["latency"][metric] >= below
    held = [point["offered"] for point in found["points"] if point["holds"] and point["offered"] is not None]
    assert found["even"]["offered"] in held and max(held) >= found["best"]["offered"]


SEARCHES = [
    pytest.param(
        ("kvs p95<400ms", "--size", "32Mi", "--set", "kvs.ratio=1:0", "--set", "kvs.ramp=300ms", "--duration", "1s"),
        ("memcached",),
        {"read_iops": 300},
        id="kvs",
    ),
    pytest.param(
        ("oltp mean<2s", "--size", "8Mi", "--set", "oltp.tables=2", "--set", "oltp.ramp=1s", "--duration", "2s"),
        ("sysbench", mariadb.daemon()),
        {"write_iops": 1500},
        id="oltp",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "needs", "limits"), SEARCHES)
def test_a_search_on_a_real_server_ends_with_an_answer_that_obeys_the_rules(
    asked: tuple[str, ...],
    needs: tuple[str, ...],
    limits: dict[str, int],
    emulated: Drives,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Short points: what is tested is that it ends, and that what it says follows from its points."""
    if missing := [name for name in needs if proc.find(name) is None]:
        pytest.skip(f"needs {', '.join(missing)}")
    folder, (slo, *more) = emulated(384, **limits), asked
    quick = ("--precision", "50%", "--load", "8", "--no-confirm", "--no-curve", "-q", "--json")
    for _ in range(3):  # that it can be found is tested, not that this machine is idle
        said = _in(("capacity", "-t", f"d={folder}", "--slo", slo, *quick, *more), tmp_path / "results", capfd)
        (found,) = said.json["searches"]
        if found["even"] is not None and found["first_failed"] is not None:
            break
    # Where this machine's processors were fully busy as well, what was found is a least value.
    assert said.code == 0 and found["end"] in ("found", "holds-at-most") and said.json["failed"] == {}, said.err
    (limit,) = found["limits"]
    _obeys(found, limit["metric"], limit["below"])
    closed = [point for point in found["points"] if point["arrival"] == "closed"]
    assert {point["load"] for point in closed} == {1, 8} and all(point["offered"] is None for point in closed)


def test_space_is_shown_and_nothing_is_measured(inside: Run, anywhere: Drive, iobench: Iobench) -> None:
    said = inside("capacity", "-t", f"d={anywhere.path}", "--json")
    space = said.json["space"]["d"]["space"]
    assert said.code == 0 and space["filesystem"] >= space["used"] + space["free"]
    assert said.json["searches"] == [] and not list(iobench.results.glob("*"))
    assert "Kept for root" in inside("capacity", "-t", f"d={anywhere.path}").out
    assert (
        "no valid latencies were measured of kvs"
        in inside("capacity", "-t", f"d={anywhere.path}", "--page", "kvs=2").out
    )
    assert "管理者用予約" in inside("capacity", "-t", f"d={anywhere.path}", "--lang", "ja").out


def test_a_slo_that_fails_at_the_lowest_rate_is_a_no(inside: Run, anywhere: Drive) -> None:
    quick = ("--duration", "300ms", "--size", "8Mi", "--load", "4", "-q", "--json", "--set", "rand.ramp=0")
    said = inside("capacity", "-t", f"d={anywhere.path}", "--slo", "rand-read mean<1us", *quick)
    (found,) = said.json["searches"]
    # Where this machine's processors are fully busy meanwhile, nothing is decided of the drive.
    assert (said.code, found["end"]) in ((1, "fails-at-lowest"), (5, "undecided")) and found["best"] is None
    assert "slo" in found["first_failed"]["why"]


def test_a_slo_that_holds_at_all_that_may_be_tried(inside: Run, anywhere: Drive) -> None:
    quick = ("--duration", "300ms", "--size", "8Mi", "--most", "400", "--no-confirm", "--no-curve", "-q", "--json")
    for _ in range(3):  # that it can be so is tested, not that this machine is idle
        said = inside("capacity", "-t", f"d={anywhere.path}", "--slo", "rand-read max<30s", *quick)
        (found,) = said.json["searches"]
        if found["end"] == "holds-at-most":
            break
    assert said.code == 0 and found["end"] == "holds-at-most" and found["even"]["offered"] == 400
    assert found["confirmed"] is False


def test_a_search_over_loads(inside: Run, anywhere: Drive) -> None:
    quick = ("--duration", "300ms", "--size", "8Mi", "--most", "4", "-q", "--json")
    said = inside("capacity", "-t", f"d={anywhere.path}", "--slo", "rand-read max<30s", "--by", "load", *quick)
    (found,) = said.json["searches"]
    assert said.code == 0 and found["end"] == "holds-at-most" and found["best"]["load"] == 4


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--slo", "rand-raed p99<1ms"), "rand-read"),
        (("--slo", "rand-read p99=1ms"), "not a limit"),
        (("--slo", "seq-read p99<1ms"), "no load can be searched"),
        (("--need", "20000 gest/s"), "gets/s"),
        (("--page", "oltp=three"), "WORKLOAD=REQUESTS"),
        (("--need", "1 GB", "--prices", "no-such.toml"), "no-such.toml"),
        (("--need", "1 GB", "--headroom", "100%"), "--headroom"),
        (("--slo", "rand-read p99<1ms", "--precision", "90%"), "between"),
        (("--slo", "rand-read p99<1ms", "--most", "many"), "--most"),
        (("--slo", "rand-read p99<1ms", "--set", "size"), "WORKLOAD.NAME=VALUE"),
        (("--slo", "rand-read p99<1ms", "--set", "rand.dept=3"), "dept"),
        (("--slo", "rand-read p99<1ms", "--set", "rnad.jobs=3"), "rand"),
        (("--slo", "rand-read p99<1ms", "--set", "rand.rate=3"), "the search sets rate itself"),
        (("--slo", "rand-read p99<1ms", "--duration", "0s"), "--duration"),
        (("--slo", "rand-read p99<1ms", "--by", "load", "--load", "3"), "--most"),
        (("--slo", "rand-read p99<1ms", "--by", "load", "--most", "2.5"), "whole number"),
        (("--need", ""), "--need is empty"),
        (("--need", "-5 gets/s"), "not an amount"),
        (("--need", "1 GB", "--most", "9"), "--slo"),
        (("--page", "kvs=2", "--page-time", "0s"), "--page-time"),
        (("--slo", "rand-read p99<1ms", "--repeats", "3"), "--repeats"),
        (("--slo", "rand-read p99<1ms", "--from", "latest"), "give one of them"),
        (("--from", "nothing"), "no campaign"),
        (("--link", "fast"), "1Gbit/s"),
    ],
)
def test_bad_input_is_said_and_nothing_is_run(
    argv: tuple[str, ...], said: str, inside: Run, anywhere: Drive, iobench: Iobench
) -> None:
    done = inside("capacity", "-t", f"d={anywhere.path}", *argv)
    assert done.code == 2 and said in done.err and "Traceback" not in done.err
    assert not list(iobench.results.glob("*"))


def test_a_block_device_needs_its_id(inside: Run, block_device: Drive, iobench: Iobench) -> None:
    before = Path(str(block_device.device)).read_bytes()
    said = inside(
        "capacity", "-t", f"raw={block_device.device}", "--slo", "rand-read p99<1ms", "--size", "8Mi", "--yes"
    )
    assert said.code == 3 and "--destroy-data" in said.err
    assert Path(str(block_device.device)).read_bytes() == before
    assert not list(iobench.results.glob("*"))
    sized = inside("capacity", "-t", f"raw={block_device.device}", "--need", "1 GB", "--json")
    assert sized.code == 0 and sized.json["sizing"][0]["count"] == 22, "1 GB of 64 MiB x 0.7: nothing is written for it"


def test_a_drive_that_disappears_ends_the_search(
    inside: Run, block_device: Drive, iobench: Iobench, tmp_path: Path
) -> None:
    """The device under the file system answers errors: steps give no number, and the search does not go on for ever."""
    subprocess.run(["mkfs.ext4", "-q", "-F", str(block_device.device)], check=True)
    subprocess.run(["mount", str(block_device.device), str(block_device.path)], check=True)
    before = set(programs(iobench.results))
    argv = ("--slo", "rand-read mean<1s", "--duration", "300ms", "--size", "8Mi", "-q", "--json")
    whole = inside("capacity", "-t", f"d={block_device.path}", "--most", "400", *argv)
    assert whole.code in (0, 1, 4, 5) and whole.json["failed"] == {}, whole.err
    campaign = iobench.folder()
    kept = json.loads((campaign.path / "campaign.json").read_text())
    # Gone: of a campaign that was interrupted, the folder is another file system's.
    subprocess.run(["umount", str(block_device.path)], check=True)
    for sample in sorted((campaign.path / "samples").glob("*.parquet"))[1:]:
        sample.unlink()
    said = inside("resume", kept["id"], "-q", "--json")
    assert said.code == 3 and "another drive" in said.err and "Traceback" not in said.err
    assert set(programs(iobench.results)) == before
