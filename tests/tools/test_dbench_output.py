"""What dbench 4.00 and 5.0 really printed, to its exact figures, cut short and mutated."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iobench.errors import ParseError
from iobench.tools import dbench

FIXTURES = Path(__file__).parent.parent / "fixtures"
WHOLE = (
    "dbench-4.00/clients-4.txt",
    "dbench-4.00/sync-1.txt",
    "dbench-5.0/clients-4.txt",
    "dbench-5.0/machine-readable.txt",
    "dbench-5.0/nfs-4.txt",
)


def text(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "version", "throughput", "seconds", "latency_max", "clients", "sync"),
    [
        ("dbench-4.00/clients-4.txt", "4.00", 482.64e6, 9, 0.194312, 4, False),
        ("dbench-4.00/sync-1.txt", "4.00", 39.48e6, 2, 0.043711, 1, True),
        ("dbench-5.0/clients-4.txt", "5.0.0", 256.05e6, 5, 0.247992, 4, False),
        # For a machine it gives 0 as its result, and the figure on the first @C@ line.
        ("dbench-5.0/machine-readable.txt", "5.0.0", 427.64e6, 6, 0.047146, 4, None),
    ],
)
def test_a_real_output_to_its_exact_figures(
    name: str, version: str, throughput: float, seconds: int, latency_max: float, clients: int, sync: bool | None
) -> None:
    run = dbench.parse(text(name))
    assert (run.version, run.clients, run.sync, run.troubles) == (version, clients, sync, ())
    assert (run.throughput, run.measured_s) == (pytest.approx(throughput), seconds)
    assert run.latency_max_s == pytest.approx(latency_max)
    assert run.load_file == "/usr/share/dbench/client.txt"


def test_the_warm_up_stands_apart_from_what_is_measured() -> None:
    run = dbench.parse(text("dbench-4.00/clients-4.txt"))
    assert [(s.phase, s.t_s) for s in run.seconds] == [("warm-up", 1), *(("measured", t) for t in range(1, 10))]
    assert run.seconds[0].mean == pytest.approx(427.73e6)
    assert [t for t, _ in run.rates] == list(range(1, 10))


def test_the_rates_of_the_seconds_are_the_differences_of_the_running_means() -> None:
    run = dbench.parse(text("dbench-4.00/clients-4.txt"))
    assert run.rates[0][1] == pytest.approx(704.17e6)
    assert run.rates[1][1] == pytest.approx(2 * 703.41e6 - 704.17e6)
    assert sum(rate for _, rate in run.rates) == pytest.approx(9 * 482.64e6)


@pytest.mark.parametrize("name", ["dbench-4.00/clients-4.txt", "dbench-5.0/clients-4.txt"])
def test_the_line_with_the_result_can_be_dated_by_where_it_ends(name: str) -> None:
    whole, run = text(name), dbench.parse(text(name))
    line = whole[: run.offset].splitlines()[-1]
    assert "execute" in line and whole[run.offset :].splitlines()[0].split()[1:2] == ["cleanup"]


def test_the_operations_and_their_latencies() -> None:
    four = {o.name: o for o in dbench.parse(text("dbench-4.00/clients-4.txt")).operations}
    assert len(four) == 14
    assert four["NTCreateX"] == dbench.Operation("NTCreateX", 145524, pytest.approx(26e-6), pytest.approx(0.089072))
    assert four["Flush"] == dbench.Operation("Flush", 10200, pytest.approx(2.009e-3), pytest.approx(0.194303))
    five = {o.name: o for o in dbench.parse(text("dbench-5.0/machine-readable.txt")).operations}
    assert five["QUERY_PATH_INFORMATION"].count == 74588 and five["Flush"].mean_s == pytest.approx(1.888e-3)
    nfs = {o.name for o in dbench.parse(text("dbench-5.0/nfs-4.txt")).operations}
    assert {"READ3", "WRITE3", "COMMIT3", "LOOKUP3", "READDIRPLUS3"} <= nfs


def test_a_run_that_never_left_its_warm_up_has_no_figure() -> None:
    # 64 clients for two seconds: dbench itself says `Throughput 0 MB/sec`.
    with pytest.raises(ParseError, match=r"raw/out: dbench never left its warm-up: .* give a longer --duration"):
        dbench.parse(text("dbench-4.00/warm-up-only.txt"), "raw/out")


def test_a_full_drive_is_told_with_the_programs_own_words() -> None:
    with pytest.raises(ParseError, match=r"no result of dbench at its end \(it said: .*wrote 40960 bytes, expected"):
        dbench.parse(text("dbench-4.00/enospc.txt"))


def test_a_status_of_nfs_is_told_in_words() -> None:
    said = '[2853] WRITE "./clients/client0/f" failed (1c) - expected 0x00000000\nERROR: child 0 failed at line 2853\n'
    with pytest.raises(ParseError, match=r"failed \(1c\) - expected 0x00000000: no space left on the drive"):
        dbench.parse(said)


@pytest.mark.parametrize("cut", ["", "dbench", "\x00" * 50])
def test_what_is_not_dbenchs_is_an_error(cut: str) -> None:
    with pytest.raises(ParseError, match="dbench's output has no result of dbench"):
        dbench.parse(cut)


@pytest.mark.parametrize("name", WHOLE)
def test_cut_short_anywhere_before_its_result_is_an_error(name: str) -> None:
    whole = text(name).rstrip("\n")
    last = whole.rindex("\n") + 1
    for cut in (*range(0, last, 97), last, len(whole) - 1):
        with pytest.raises(ParseError):
            dbench.parse(whole[:cut])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from((*WHOLE, "dbench-4.00/enospc.txt", "dbench-4.00/killed.txt")), st.data())
def test_mutated_text_gives_a_run_or_a_parse_error(name: str, data: st.DataObject) -> None:
    whole = text(name)
    at = data.draw(st.integers(0, len(whole)))
    new = data.draw(
        st.text(max_size=12) | st.sampled_from(["@", ":", "\n", "nan", "-1", "1e308", "9" * 14, " MB/sec "])
    )
    gone = data.draw(st.integers(0, 30))
    try:
        run = dbench.parse(whole[:at] + new + whole[at + gone :])
    except ParseError:
        return
    assert run.throughput > 0 and run.measured_s > 0 and run.latency_max_s >= 0
    assert all(rate >= 0 and t > 0 for t, rate in run.rates)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("dbench version 4.00 - Copyright Andrew Tridgell 1999-2004\n\n", (4, 0)),
        ("dbench version 5.0.0", (5, 0)),
        ("tbench version 4.00 - Copyright", None),
        ("", None),
    ],
)
def test_the_version_is_in_the_banner(said: str, found: tuple[int, int] | None) -> None:
    assert dbench.version(said) == found


def test_each_version_is_asked_in_its_own_way() -> None:
    four = dbench.argv(program="dbench", major=4, clients=4, seconds=11, folder="d", load_file=None, sync=True)
    assert four == ("dbench", "-t", "11", "-s", "-D", "d", "4")
    five = dbench.argv(program="/x/dbench", major=5, clients=4, seconds=11, folder="d", load_file="/l", sync=False)
    assert five == ("/x/dbench", "-B", "fileio", "--warmup=2", "-t", "11", "-c", "/l", "-D", "d", "4")
