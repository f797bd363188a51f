"""From a suite to steps in their order, with room and time known before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from iobench import profiles
from iobench.campaign import needs, plan
from iobench.campaign.plan import Request, Suite
from iobench.errors import CannotRunError, UsageError
from iobench.model import DataFile, Device, Emulation, Passport, Step, Target, Work

MIB = 1 << 20
READ = Work("seq", "seq-read", {"size": 256 * MIB}, 8, 0.5, 2.0, files=(DataFile("data", 256 * MIB),))
WRITE = Work("seq", "seq-write", {"size": 256 * MIB}, 8, 0.5, 2.0, files=(DataFile("data", 256 * MIB),), writes=True)
MADE = Work("dd", "dd-write", {"size": 100 * MIB}, 1, fresh=("dd",), fixed_bytes=100 * MIB, writes=True)
BACK = Work("dd", "dd-read", {"size": 100 * MIB}, 1, files=(DataFile("data", 100 * MIB),), fixed_bytes=100 * MIB)


def drive(name: str, free: int | None = 10**12, emulation: Emulation | None = None, minor: int = 16) -> Passport:
    device = Device("sdb", 8, minor, 10**12)
    return Passport(Target(name, f"/mnt/{name}"), device, free_bytes=free, emulation=emulation)


def block(name: str, size: int) -> Passport:
    return Passport(Target(name, "/dev/sdb", "block"), Device("sdb", 8, 16, size))


def suite_file(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


# --- order -----------------------------------------------------------------------------------------------


def test_rounds_rotate_the_targets_so_that_drift_falls_on_all_alike() -> None:
    steps = plan.interleave([READ, MADE], ["A", "B", "C"], 4)
    order = ["".join(s.target for s in steps if s.repeat == r and s.work is READ) for r in (1, 2, 3, 4)]
    assert order == ["ABC", "CAB", "BCA", "ABC"]
    assert order == ["".join(s.target for s in steps if s.repeat == r and s.work is MADE) for r in (1, 2, 3, 4)]


def test_a_round_is_over_before_the_next_and_a_work_before_the_next_work() -> None:
    steps = plan.interleave([READ, MADE], ["A", "B"], 3)
    assert [s.repeat for s in steps] == [1] * 4 + [2] * 4 + [3] * 4
    assert [s.work.workload for s in steps[:4]] == ["seq-read", "seq-read", "dd-write", "dd-write"]


def test_every_target_stands_in_every_place_equally_often() -> None:
    steps = plan.interleave([READ], ["A", "B", "C"], 6)
    places = {(s.target, i % 3) for i, s in enumerate(steps)}
    assert len(places) == 9


def test_one_target_alone() -> None:
    assert [s.target for s in plan.interleave([READ], ["A"], 3)] == ["A"] * 3


def test_ids_are_unique_plain_and_sort_in_the_order_they_run() -> None:
    steps = plan.interleave([READ, MADE], ["俺の/ssd ../x", "a b;$(touch X)", "x" * 99], 5)
    ids = [s.id for s in steps]
    assert len(set(ids)) == len(ids) == 30
    assert sorted(ids) == ids
    assert ids[0] == "0001-r1-seq-read-8-ssd-x"
    assert all(id.isascii() and "/" not in id and " " not in id and len(id) < 80 for id in ids)
    assert plan.interleave([READ], ["速い"], 1)[0].id == "0001-r1-seq-read-8-target"


# --- size and room ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rooms", "size"),
    [
        ([10**12], plan.MOST_SIZE // MIB * MIB),
        ([4 * 10**10], plan.MOST_SIZE // MIB * MIB),
        ([10**10], 10**9 // MIB * MIB),
        ([10**12, 300 * MIB], 30 * MIB),
        ([1000], MIB),
        ([None], plan.MOST_SIZE // MIB * MIB),
        ([None, 300 * MIB], 30 * MIB),
    ],
)
def test_the_size_that_is_not_given(rooms: list[int | None], size: int) -> None:
    passports = {f"t{i}": drive(f"t{i}", room) for i, room in enumerate(rooms)}
    assert plan.default_size(passports) == size


def test_the_size_that_is_not_given_on_a_device_is_of_the_device() -> None:
    assert plan.default_size({"b": block("b", 500 * MIB)}) == 50 * MIB


def test_the_room_that_works_need_at_one_time() -> None:
    assert needs.file_bytes([READ]) == 256 * MIB
    assert needs.file_bytes([READ, WRITE]) == 256 * MIB  # one file, twice used
    assert needs.file_bytes([READ, BACK]) == 256 * MIB  # the larger of one name
    assert needs.file_bytes([READ, MADE]) == 356 * MIB


def test_too_little_room_is_said_with_the_figures() -> None:
    passports = {"large": drive("large"), "small": drive("small", 356 * MIB - 1, minor=32)}
    with pytest.raises(CannotRunError) as error:
        needs.check_room([READ, MADE], passports)
    assert str(error.value) == (
        "target small has too little room: the files take 373 MB and 373 MB are free; give a smaller --size or make "
        "room. Nothing was written"
    )
    needs.check_room([READ, MADE], {"enough": drive("enough", 356 * MIB)})


def test_targets_on_one_file_system_fill_it_together() -> None:
    passports = {name: drive(name, 600 * MIB) for name in ("A", "B")}
    with pytest.raises(
        CannotRunError, match="targets A, B together have too little room: the files take 747 MB and 629"
    ):
        needs.check_room([READ, MADE], passports)
    needs.check_room([READ, MADE], {"A": drive("A", 600 * MIB), "B": drive("B", 600 * MIB, minor=32)})


@pytest.mark.parametrize(
    ("asked", "used"),
    [(4 * 10**9, 3814 * MIB), (256 * MIB, 256 * MIB), (MIB + 1, MIB), (MIB - 1, MIB - 4096), (5000, 4096)],
)
def test_a_size_is_cut_to_whole_blocks_that_direct_io_can_move(asked: int, used: int) -> None:
    suite = Suite(None, "mine", 1, (Request("seq", {"size": asked, "block_size": 4096}, "mine"),))
    assert {w.params["size"] for w in plan.works(suite, {"A": drive("A")}, "libaio", {})} == {used}


def test_a_size_without_a_whole_block_is_refused() -> None:
    suite = Suite(None, "mine", 1, (Request("seq", {"size": 4095}, "mine"),))
    with pytest.raises(UsageError, match="size 4095 is too small; the least is 4096 bytes"):
        plan.works(suite, {"A": drive("A")}, "libaio", {})


def test_room_that_is_not_known_is_no_obstacle() -> None:
    needs.check_room([READ, MADE], {"nfs": drive("nfs", None)})


def test_on_a_device_files_take_the_place_of_each_other() -> None:
    needs.check_room([READ, MADE], {"b": block("b", 256 * MIB)})
    with pytest.raises(CannotRunError, match="target b has too little room: the files take 268 MB and 267 MB are free"):
        needs.check_room([READ, MADE], {"b": block("b", 255 * MIB)})
    with pytest.raises(CannotRunError, match="the files take 105 MB"):
        needs.check_room([MADE], {"b": block("b", 99 * MIB)})


# --- suites ----------------------------------------------------------------------------------------------


def test_quick_is_what_the_issue_asks() -> None:
    suite = plan.load_suite("quick")
    assert (suite.name, suite.rounds) == ("quick", 3)
    works = plan.works(suite, {"A": drive("A")}, "io_uring", {})
    assert [(w.workload, w.load) for w in works] == [
        ("seq-read", 8),
        ("seq-write", 8),
        ("dd-write", 1),
        ("dbench", 1),
        ("dbench", 4),
        ("oltp", 16),
        ("rand-read", 1),
        ("rand-read", 8),
        ("rand-read", 64),
    ]
    assert {w.params["engine"] for w in works if w.runner not in ("dd", "dbench", "oltp")} == {"io_uring"}


def test_deck_has_five_rounds_and_steps_that_are_long_enough() -> None:
    suite = plan.load_suite("deck")
    works = plan.works(suite, {"A": drive("A")}, "libaio", {})
    assert suite.rounds == 5
    assert {w.workload for w in works} == {
        "seq-read", "seq-write", "dd-write", "dd-read", "rand-read", "rand-write", "rand-mixed", "dbench", "oltp",
        "kvs",
    }  # fmt: skip
    assert [w.load for w in works if w.workload == "rand-read"] == [1, 2, 4, 8, 16, 32, 64]
    assert all(w.duration_s >= 6 for w in works if w.duration_s is not None)


@pytest.mark.parametrize("name", profiles.names("suites"))
def test_each_shipped_suite_loads_and_plans(name: str) -> None:
    suite = plan.load_suite(name)
    works = plan.works(suite, {"A": drive("A"), "B": block("B", 10**11)}, "libaio", {})
    assert works
    assert suite.title != name


def test_overrides_hold_where_a_workload_knows_them() -> None:
    works = plan.works(plan.load_suite("quick"), {"A": drive("A")}, "libaio", {"duration": "1s", "size": "64Mi"})
    assert {w.duration_s for w in works} == {1.0, None}
    assert {w.params["size"] for w in works if "size" in w.params} == {64 * MIB}


def test_a_users_suite_by_its_path(tmp_path: Path) -> None:
    suite = plan.load_suite(suite_file(tmp_path, '[suite]\nrounds = 2\n[[workload]]\nrun = "dd"\nsize = "8Mi"\n'))
    assert suite == Suite("mine", "mine", 2, (Request("dd", {"size": "8Mi"}, "mine.toml, dd"),))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[siute]\ntitle = "x"\n', "mine.toml: unknown key 'siute'; did you mean 'suite'?"),
        ('[suite]\nround = 3\n[[workload]]\nrun = "dd"\n', "mine.toml: unknown key 'round'; did you mean 'rounds'?"),
        ('[suite]\nrounds = 0\n[[workload]]\nrun = "dd"\n', "rounds is 0; it is a whole number from 1 to 1000"),
        ('[suite]\nrounds = true\n[[workload]]\nrun = "dd"\n', "rounds is True"),
        ('[suite]\nrounds = "3"\n[[workload]]\nrun = "dd"\n', "rounds is '3'"),
        ('suite = 3\n[[workload]]\nrun = "dd"\n', "mine.toml: 3 is not a table"),
        ('[suite]\ntitle = "x"\n', "mine.toml: it names no [[workload]]"),
        ("workload = 3\n", "mine.toml: it names no [[workload]]"),
        ("workload = [3]\n", "mine.toml: a [[workload]] has no `run"),
        ('[[workload]]\nops = ["read"]\n', "mine.toml: a [[workload]] has no `run = \"…\"`; known: seq, rand, dd"),
        ('[[workload]]\nrun = "rnad"\n', "unknown workload 'rnad'; did you mean 'rand'?"),
        ('[[workload]]\nrun = "rand"\nlaods = [1]\n', "rand: unknown parameter 'laods'; did you mean 'loads'?"),
        ('[[workload]]\nrun = "dd"\nflush = "fsnc"\n', "dd: flush: unknown value 'fsnc'; did you mean 'fsync'?"),
        ('[[workload]]\nrun = "seq"\nsize = "4X"\n', "mine.toml, seq: size: '4X' has no known unit of size"),
        ('[[workload]]\nrun = "dd"\n[[workload]]\nrun = "dd"\n', "mine: the same measurement is asked for twice"),
    ],
)  # fmt: skip
def test_what_a_suite_cannot_mean_is_told(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        plan.works(plan.load_suite(suite_file(tmp_path, text)), {"A": drive("A")}, "libaio", {})
    assert says in str(error.value)


def test_the_same_workload_at_another_size_is_another_measurement(tmp_path: Path) -> None:
    text = '[[workload]]\nrun = "dd"\nsize = "8Mi"\n[[workload]]\nrun = "dd"\nsize = "16Mi"\n'
    assert len(plan.works(plan.load_suite(suite_file(tmp_path, text)), {"A": drive("A")}, "libaio", {})) == 4


# --- estimate --------------------------------------------------------------------------------------------


def test_the_time_of_a_step_is_its_own_with_what_stands_around_it() -> None:
    steps = plan.interleave([READ], ["A"], 2)
    got = needs.estimate(steps, {"A": drive("A")}, {"A": 100e6})
    assert set(got.step_s.values()) == {0.5 + 2.0 + needs.STEP_OVERHEAD_S}
    assert got.setup_s == {"A": pytest.approx(needs.SETUP_OVERHEAD_S + 256 * MIB / 100e6)}
    assert got.seconds == pytest.approx(sum(got.step_s.values()) + got.setup_s["A"])


def test_a_fixed_amount_takes_as_long_as_the_drive_is_slow() -> None:
    steps = plan.interleave([MADE], ["A", "B"], 1)
    got = needs.estimate(steps, {"A": drive("A"), "B": drive("B")}, {"A": 50e6})
    assert got.step_s[steps[0].id] == pytest.approx(100 * MIB / 50e6 + needs.STEP_OVERHEAD_S)
    assert got.step_s[steps[1].id] == pytest.approx(100 * MIB / needs.ASSUMED_RATE + needs.STEP_OVERHEAD_S)


def test_an_emulated_drive_reads_at_the_rate_it_was_set_to() -> None:
    steps = plan.interleave([BACK], ["A"], 1)
    got = needs.estimate(steps, {"A": drive("A", emulation=Emulation("sas", 150e6, 50e6))}, {"A": 45e6})
    assert got.step_s[steps[0].id] == pytest.approx(100 * MIB / 150e6 + needs.STEP_OVERHEAD_S)


def test_bytes_written_are_the_files_and_what_the_works_write() -> None:
    passports = {"A": drive("A"), "B": drive("B")}
    steps: tuple[Step, ...] = plan.interleave([READ, MADE], ["A", "B"], 3)
    got = needs.estimate(steps, passports, {"A": 100e6})
    assert got.written == {"A": (256 + 3 * 100) * MIB, "B": (256 + 3 * 100) * MIB}
    timed = needs.estimate(plan.interleave([WRITE], ["A"], 2), {"A": drive("A")}, {"A": 100e6})
    assert timed.written == {"A": 256 * MIB + 2 * int(2.5 * 100e6)}


def test_a_plan_that_only_reads_writes_only_its_files() -> None:
    got = needs.estimate(plan.interleave([READ], ["A"], 5), {"A": drive("A")}, {})
    assert got.written == {"A": 256 * MIB}


def test_a_bare_device_is_left_out_of_what_needs_a_file_system_and_refused_where_there_is_nothing_else() -> None:
    asked = Suite(None, "mine", 1, (Request("dbench", {"clients": [1]}, "mine"),))
    (work,) = plan.works(asked, {"A": drive("A"), "B": block("B", 10**11)}, "libaio", {})
    assert plan.fits(work, drive("A")) and not plan.fits(work, block("B", 10**11))
    with pytest.raises(UsageError, match="target B is a block device, and dbench needs a file system"):
        plan.works(asked, {"B": block("B", 10**11)}, "libaio", {})


def test_the_room_that_clients_take_is_looked_at_with_its_remedy() -> None:
    asked = Suite(None, "mine", 1, (Request("dbench", {"clients": [1, 64]}, "mine"),))
    works = plan.works(asked, {"A": drive("A")}, "libaio", {})
    assert needs.file_bytes(works) == 64 * 26 * 10**6
    with pytest.raises(CannotRunError, match=r"give fewer --clients \(each takes 26 MB\)"):
        needs.check_room(works, {"A": drive("A", free=10**9)})
