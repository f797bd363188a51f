"""The results folder: its schema, what is kept of a step, and what bad files and full disks get."""

from __future__ import annotations

import dataclasses
import errno
import gc
import json
import os
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iobench import proc, results
from iobench.errors import EXIT_TOOL, CannotRunError, ResultsError, UsageError
from iobench.model import (
    METRICS,
    Campaign,
    DataFile,
    Device,
    Emulation,
    Evidence,
    Finding,
    LatencyBins,
    LimitedBy,
    Passport,
    Reading,
    Sample,
    SeriesPoint,
    Step,
    StepResult,
    Target,
    Verdict,
    Work,
    of_drive,
)
from iobench.results import CampaignFolder, Store, decode_bins, encode_bins, latencies, tables
from iobench.results.histograms import HISTOGRAM_TOP_NS
from iobench.texts import Amount, Phrase, Quoted, Words, told_of

NOW = datetime(2025, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
READ = Work(
    "rand",
    "rand-read",
    {"block_size": 4096, "depth": 8, "engine": "io_uring", "direct": True, "list": [1, 2]},
    load=8,
    ramp_s=1.0,
    duration_s=6.0,
    files=(DataFile("data", 1 << 28),),
)
WRITE = Work(
    "dd",
    "dd-write",
    {"size": 1 << 20},
    load=1,
    rate=12.5,
    source=DataFile("random", 1 << 20),
    fresh=("dd",),
    fixed_bytes=1 << 20,
    writes=True,
)
TOO_SHORT = Phrase("judged.too-short.time", {"time": Amount(3.0, "s"), "shortest": 6.0})
ASSUMED = Quoted({"en": "by hand", "ja": "手動"})
LOWERED = Phrase("lab.assumed", {"figure": Phrase("lab.figure.read"), "value": "140 MB/s", "why": ASSUMED})
IN_MEMORY = Phrase("nodevice.memory", {"path": "/mnt/速い ssd", "filesystem": "tmpfs"})
STEPS = (Step("0001-a", "速い ssd", 1, READ), Step("0002-a", "sas", 1, READ), Step("0003-a", "sas", 1, WRITE))


def campaign(id: str = "20250301-123015") -> Campaign:
    emulation = Emulation("sas", 150e6, 140e6, latency_s=0.005, parallel=8, notes=(LOWERED, "noted"))
    passports = {
        "速い ssd": Passport(Target("速い ssd", "/mnt/速い ssd"), None, IN_MEMORY, "tmpfs"),
        "sas": Passport(
            Target("sas", "/dev/sdb", "block"),
            Device("sdb", 8, 16, 10**12, "SAS", "ST1000", "Z1W", "sas", True, "none", 512, 4096, "write back"),
            total_bytes=10**12,
            emulation=emulation,
        ),
    }
    return Campaign(
        id=id,
        created_at=NOW,
        profile="quick",
        title="“速さ”",
        rounds=1,
        steps=STEPS,
        passports=passports,
        host={"name": "host", "cores": 2, "kernel": None},
        tools={"fio": "fio-3.33"},
        notes=("a note", of_drive("sas", LOWERED)),
    )


def result(step: Step = STEPS[1]) -> StepResult:
    return StepResult(
        step,
        Reading(
            samples=(Sample("read", "throughput", 5.0e8), Sample("read", "latency_p99", 0.0015)),
            measured_s=6.001,
            latencies=(LatencyBins("read", {113152: 10, 675840: 3}),),
            series=(SeriesPoint(0.5, "read_throughput", 4.9e8), SeriesPoint(1.0, "read_throughput", 5.1e8)),
        ),
        Evidence(
            tool_bytes_read=3_000_000_000,
            tool_bytes_written=0,
            device_name="sdb",
            device_bytes_read=2_999_000_000,
            queue_depth_asked=8.0,
            limited_by=LimitedBy.DEVICE,
        ),
        Verdict.SUSPECT,
        (Finding("too-short", TOO_SHORT), Finding("no-device", "速")),
        NOW,
        "fio-3.33",
        device_series=(SeriesPoint(1.0, "device_read_throughput", 4.99e8),),
    )


@pytest.fixture
def folder(tmp_path: Path) -> CampaignFolder:
    folder = Store(tmp_path / "results").create(campaign())
    folder.save(campaign(), result())
    return folder


# --- schema ----------------------------------------------------------------------------------------------

TEXT, REAL, WHOLE = "string", "double", "int64"
CONTRACT = {
    "samples": [
        ("campaign", TEXT), ("step", TEXT), ("host", TEXT), ("target", TEXT), ("kind", TEXT), ("emulated", "bool"),
        ("workload", TEXT), ("op", TEXT), ("params", TEXT), ("load", WHOLE), ("rate", REAL), ("repeat", WHOLE),
        ("metric", TEXT), ("unit", TEXT), ("better", TEXT), ("value", REAL), ("started_at", "timestamp[us, tz=UTC]"),
        ("duration_s", REAL), ("verdict", TEXT), ("reasons", "list<element: string>"), ("tool", TEXT),
    ],
    "evidence": [
        ("campaign", TEXT), ("step", TEXT), ("tool_bytes_read", WHOLE), ("tool_bytes_written", WHOLE),
        ("device_name", TEXT), ("device_bytes_read", WHOLE), ("device_bytes_written", WHOLE), ("device_busy", REAL),
        ("client_cpu", REAL), ("system_cpu", REAL), ("queue_depth_asked", REAL), ("queue_depth_achieved", REAL),
        ("rate_cv", REAL), ("rate_drift", REAL), ("background_bytes", WHOLE), ("unwritten_bytes", WHOLE),
        ("limited_by", TEXT), ("temperature_c", REAL), ("device_reads", WHOLE), ("device_writes", WHOLE),
        ("cache_hit_ratio", REAL), ("server_reads", WHOLE), ("server_writes", WHOLE), ("server_fsyncs", WHOLE),
        ("server_cpu", REAL), ("settled_s", REAL), ("device_reads_per_get", REAL),
    ],
    "series": [("campaign", TEXT), ("step", TEXT), ("t_s", REAL), ("metric", TEXT), ("value", REAL)],
    "latency": [("campaign", TEXT), ("step", TEXT), ("op", TEXT), ("histogram", TEXT), ("count", WHOLE)],
}  # fmt: skip


@pytest.mark.parametrize("table", results.TABLES)
def test_a_file_on_disk_has_the_columns_types_and_order_of_the_contract(folder: CampaignFolder, table: str) -> None:
    stored = pq.read_schema(folder.path / table / "0002-a.parquet")
    assert [(f.name, str(f.type)) for f in stored] == CONTRACT[table]
    assert stored.metadata[b"iobench.schema_version"] == b"1"


def test_what_may_never_be_null_cannot_be() -> None:
    nullable = {table: {f.name for f in results.schema(table) if f.nullable} for table in results.TABLES}
    assert nullable["samples"] == {"rate", "started_at", "duration_s"}
    assert nullable["evidence"] == set(results.schema("evidence").names) - {"campaign", "step", "limited_by"}


def test_the_evidence_table_holds_all_that_evidence_has() -> None:
    assert {f.name for f in dataclasses.fields(Evidence)} == {n for n, _ in CONTRACT["evidence"]} - {"campaign", "step"}


# --- what is kept ----------------------------------------------------------------------------------------


def test_samples_come_back_as_they_were_saved(folder: CampaignFolder) -> None:
    rows = folder.read("samples").to_pylist()
    assert [(r["metric"], r["unit"], r["better"], r["value"]) for r in rows] == [
        ("throughput", "B/s", "higher", 5.0e8),
        ("latency_p99", "s", "lower", 0.0015),
    ]
    first = rows[0]
    assert first["params"] == '{"block_size":4096,"depth":8,"direct":true,"engine":"io_uring","list":[1,2]}'
    assert (first["campaign"], first["step"], first["target"], first["host"]) == (folder.id, "0002-a", "sas", "host")
    assert (first["kind"], first["emulated"], first["workload"], first["op"]) == ("SAS", True, "rand-read", "read")
    assert (first["load"], first["rate"], first["repeat"], first["tool"]) == (8, None, 1, "fio-3.33")
    assert (first["started_at"], first["duration_s"]) == (NOW, 6.001)
    assert (first["verdict"], first["reasons"]) == ("suspect", ["too-short", "no-device"])


def test_evidence_keeps_what_is_not_known_as_null_and_zero_as_zero(folder: CampaignFolder) -> None:
    (row,) = folder.read("evidence").to_pylist()
    assert (row["tool_bytes_read"], row["tool_bytes_written"], row["device_bytes_read"]) == (
        3 * 10**9,
        0,
        2_999_000_000,
    )
    assert row["device_bytes_written"] is None
    assert (row["device_name"], row["queue_depth_asked"], row["limited_by"]) == ("sdb", 8.0, "device")
    assert [name for name, value in row.items() if value == 0] == ["tool_bytes_written"]


def test_series_and_latency_come_back(folder: CampaignFolder) -> None:
    series = [(r["t_s"], r["metric"], r["value"]) for r in folder.read("series").to_pylist()]
    assert series == [
        (0.5, "read_throughput", 4.9e8),
        (1.0, "read_throughput", 5.1e8),
        (1.0, "device_read_throughput", 4.99e8),
    ]
    (row,) = folder.read("latency").to_pylist()
    assert (row["op"], row["count"], sum(decode_bins(row["histogram"]).values())) == ("read", 13, 13)


def test_reasons_keep_their_sentences(folder: CampaignFolder) -> None:
    assert folder.findings("0002-a") == [
        {"reason": "too-short", "sentence": str(TOO_SHORT), **TOO_SHORT.as_json()},
        {"reason": "no-device", "sentence": "速"},
    ]
    assert told_of(folder.findings("0002-a")[0]) == TOO_SHORT
    assert told_of(folder.findings("0002-a")[1]) == "速"
    assert folder.findings("0001-a") == []


def test_pandas_reads_a_folder_without_help(folder: CampaignFolder) -> None:
    folder.save(campaign(), result(STEPS[0]))
    frame = pd.read_parquet(folder.path / "samples")
    assert list(frame.columns) == [name for name, _ in CONTRACT["samples"]]
    assert frame.groupby("target").value.count().to_dict() == {"sas": 2, "速い ssd": 2}
    assert str(frame.started_at.dt.tz) == "UTC"


def test_a_step_without_samples_is_not_read(folder: CampaignFolder) -> None:
    folder.save(campaign(), result(STEPS[0]))
    assert folder.finished() == {"0001-a", "0002-a"}
    # A kill between the tables: evidence is there, samples are not.
    (folder.path / "samples" / "0002-a.parquet").unlink()
    assert folder.finished() == {"0001-a"}
    for table in results.TABLES:
        assert set(folder.read(table)["step"].to_pylist()) == {"0001-a"}


def test_a_step_saved_again_replaces_the_first(folder: CampaignFolder) -> None:
    folder.save(campaign(), result())
    assert len(folder.read("samples")) == 2


def test_what_a_kill_left_half_written_is_passed_over(folder: CampaignFolder) -> None:
    whole = (folder.path / "samples" / "0002-a.parquet").read_bytes()
    (folder.path / "samples" / ".0003-a.parquet.part").write_bytes(whole[:100])
    assert len(folder.read("samples")) == 2
    assert folder.finished() == {"0002-a"}


def test_an_empty_campaign_has_empty_tables_of_the_schema(tmp_path: Path) -> None:
    empty = Store(tmp_path).create(campaign())
    for table in results.TABLES:
        assert empty.read(table).schema.equals(results.schema(table))
        assert len(empty.read(table)) == 0


# --- bad files -------------------------------------------------------------------------------------------


def _refused(folder: CampaignFolder, says: str) -> None:
    with pytest.raises(ResultsError, match=says) as error:
        folder.read("samples")
    assert str(folder.path / "samples" / "0002-a.parquet") in str(error.value)
    assert error.value.exit_code == EXIT_TOOL


def test_a_parquet_file_of_others_is_refused(folder: CampaignFolder) -> None:
    pq.write_table(pa.Table.from_pylist([{"a": 1}]), folder.path / "samples" / "0002-a.parquet")
    _refused(folder, "not written by iobench")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rounds",), "3"),
        (("rounds",), True),
        (("title",), ["x"]),
        (("director",), 1),
        (("limits",), []),
        (("notes",), 7),
        (("host",), {"name": {}}),
        (("steps", 0, "target"), "another"),
        (("steps", 0, "repeat"), None),
        (("works", 0, "load"), "8"),
        (("works", 0, "params"), [1]),
        (("passports", "sas", "target", "name"), 5),
        (("passports", "sas", "device"), {"name": "sdb", "major": "x", "minor": 16}),
    ],
    ids=str,
)
def test_a_plan_whose_fields_hold_something_else_is_told(
    path: tuple[str | int, ...], value: object, folder: CampaignFolder
) -> None:
    where = folder.path / "campaign.json"
    whole = json.loads(where.read_text(encoding="utf-8"))
    node = whole
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    where.write_text(json.dumps(whole), encoding="utf-8")
    with pytest.raises(ResultsError, match=r"campaign\.json is not a campaign that iobench wrote"):
        folder.campaign()


@pytest.mark.parametrize("version", ["0", "2"])
def test_another_schema_version_is_refused_with_what_to_do(folder: CampaignFolder, version: str) -> None:
    path = folder.path / "samples" / "0002-a.parquet"
    newer = pq.read_table(path).replace_schema_metadata({"iobench.schema_version": version})
    pq.write_table(newer, path)
    _refused(
        folder, f"has schema version {version}; this iobench reads version 1: use the iobench that wrote it, or update"
    )


def test_lacking_columns_are_named(folder: CampaignFolder) -> None:
    path = folder.path / "samples" / "0002-a.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["value", "tool"]), path)
    _refused(folder, "lacks the columns value, tool")


@pytest.mark.parametrize("values", [["fast", "slow"], [None, None]])
def test_columns_of_another_kind_are_refused(folder: CampaignFolder, values: list[str | None]) -> None:
    path = folder.path / "samples" / "0002-a.parquet"
    table = pq.read_table(path)
    changed = table.set_column(table.schema.get_field_index("value"), "value", pa.array(values, pa.string()))
    pq.write_table(changed, path)
    _refused(folder, "0002-a.parquet")


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(folder: CampaignFolder, share: float) -> None:
    path = folder.path / "samples" / "0002-a.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    _refused(folder, "is not a Parquet file that can be read")


def test_flipped_bytes_are_refused_or_read_but_never_anything_else(folder: CampaignFolder) -> None:
    path = folder.path / "samples" / "0002-a.parquet"
    whole = path.read_bytes()
    seeded = random.Random(7)
    refused = 0
    for _ in range(200):
        broken = bytearray(whole)
        for _ in range(4):
            broken[seeded.randrange(len(broken))] ^= 1 << seeded.randrange(8)
        path.write_bytes(broken)
        try:
            folder.read("samples")
        except ResultsError:
            refused += 1
    assert refused > 0


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "{}", '{"schema_version": 1}', '"fio"', "\ufeff{}"],
)
def test_a_campaign_file_that_is_none_is_refused(folder: CampaignFolder, content: str) -> None:
    (folder.path / "campaign.json").write_text(content, encoding="utf-8")
    with pytest.raises(ResultsError, match=r"campaign\.json is not a campaign that iobench wrote"):
        folder.campaign()


def test_a_campaign_of_another_version_says_what_to_do(folder: CampaignFolder) -> None:
    (folder.path / "campaign.json").write_text('{"schema_version": 2}', encoding="utf-8")
    with pytest.raises(ResultsError, match=r"has schema version 2; this iobench reads version 1: use the iobench"):
        folder.campaign()


def test_any_value_of_a_campaign_file_dropped_or_replaced_is_refused_or_read(folder: CampaignFolder) -> None:
    where = folder.path / "campaign.json"
    whole = json.loads(where.read_text(encoding="utf-8"))
    for place in _places(whole):
        for change in (None, 99, "x", [], {}, "drop"):
            document = json.loads(json.dumps(whole))
            node = document
            for key in place[:-1]:
                node = node[key]
            if change == "drop":
                del node[place[-1]]
            else:
                node[place[-1]] = change
            where.write_text(json.dumps(document), encoding="utf-8")
            try:
                folder.campaign()
            except ResultsError as error:
                assert str(where) in str(error)


def _places(node: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from _places(child, (*path, key))


# --- campaigns -------------------------------------------------------------------------------------------


def test_a_campaign_comes_back_whole(folder: CampaignFolder) -> None:
    assert folder.campaign() == campaign()


def test_notes_are_kept_as_data_and_of_a_later_iobench_read_in_english(folder: CampaignFolder) -> None:
    note = folder.campaign().notes[1]
    assert Words("ja").tell(note) == "sas：読み出し速度 140 MB/s は仮定値：手動"
    where = folder.path / "campaign.json"
    text = where.read_text(encoding="utf-8")
    assert '"sentence": "sas: read 140 MB/s is assumed: by hand"' in text
    where.write_text(text.replace('"note.of"', '"note.later"'), encoding="utf-8")
    assert Words("ja").tell(folder.campaign().notes[1]) == str(note)


def test_steps_share_their_works_in_the_file(folder: CampaignFolder) -> None:
    stored = json.loads((folder.path / "campaign.json").read_text(encoding="utf-8"))
    assert stored["schema_version"] == 1
    assert [s["work"] for s in stored["steps"]] == [0, 0, 1]
    assert len(stored["works"]) == 2


def test_a_campaign_that_may_not_be_entered_is_there_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's, in a folder of several; root may enter all, so the system's answer is made."""
    store = Store(tmp_path)
    store.create(campaign("20250301-123015"))
    store.create(campaign("20250301-123016"))
    real = os.stat

    def stat(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        if "20250301-123016" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", stat)
    assert store.ids() == ["20250301-123015", "20250301-123016"]


def test_what_may_not_be_read_is_not_left_out_in_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive without the raw outputs would look whole; root may read all, so the system's answer is made."""
    folder = Store(tmp_path).create(campaign("20250301-123015"))
    (folder.raw("step") / "stdout").write_text("said")
    real = os.scandir

    def scandir(path: Any) -> Any:
        if str(path).endswith("raw"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(ResultsError, match="raw cannot be read: Permission denied"):
        folder.contents()


def test_campaigns_are_found_by_id_by_start_and_as_latest(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for id in ("20250301-123015", "20250301-123016", "20250401-000000"):
        store.create(campaign(id))
    (tmp_path / "README.md").write_text("no campaign")
    (tmp_path / "empty").mkdir()
    assert store.ids() == ["20250301-123015", "20250301-123016", "20250401-000000"]
    assert store.open("latest").id == store.open("202504").id == "20250401-000000"
    assert store.open("20250301-123016").id == "20250301-123016"
    with pytest.raises(UsageError, match=r"2 campaigns in .* begin with '20250301' \(20250301-123015, "):
        store.open("20250301")
    with pytest.raises(UsageError, match=r"no campaign '2025O401-000000' in .*; did you mean '20250401-000000'"):
        store.open("2025O401-000000")


def test_no_campaign_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no campaign in .*absent; `iobench run`"):
        Store(tmp_path / "absent").open("latest")


def test_removing_asks_for_the_whole_id(folder: CampaignFolder) -> None:
    store = Store(folder.path.parent)
    for part in ("2025", "latest"):
        with pytest.raises(UsageError, match=f"give the whole id to delete a campaign: {folder.id}"):
            store.remove(part)
    assert folder.path.exists()
    store.remove(folder.id)
    assert not folder.path.exists()


@pytest.mark.parametrize("name", ["..", ".", "../outside", "/", ""])
def test_removing_never_leaves_the_results_folder(folder: CampaignFolder, name: str) -> None:
    with pytest.raises(UsageError):
        Store(folder.path.parent).remove(name)
    assert folder.path.exists()


def test_two_campaigns_of_one_second_have_ids_of_their_own() -> None:
    taken: list[str] = []
    for _ in range(3):
        taken.append(results.new_id(NOW, taken))
    assert taken == ["20250301-123015", "20250301-123015-2", "20250301-123015-3"]
    assert results.new_id(NOW + timedelta(seconds=1), taken) == "20250301-123016"


# --- histograms ------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(st.integers(1, 2**34), st.integers(1, 10**6), min_size=1, max_size=30))
def test_bins_come_back_within_a_thousandth(bins: dict[int, int]) -> None:
    decoded = decode_bins(encode_bins(bins))
    assert sum(decoded.values()) == sum(bins.values())
    left = [(value, count) for value, count in sorted(decoded.items())]
    for value, count in sorted(bins.items()):
        near, there = left[0]
        assert abs(near - value) <= value / 1000 + 1
        assert there >= count
        left[0] = (near, there - count)
        if there == count:
            left.pop(0)


def test_latencies_beyond_an_hour_count_as_an_hour() -> None:
    ((value, count),) = decode_bins(encode_bins({10**14: 2})).items()
    assert (count, value) == (2, pytest.approx(HISTOGRAM_TOP_NS, rel=1e-3))


@pytest.mark.parametrize("text", ["", "x", "HISTFAAAA", "é", "AAAA" * 20, encode_bins({5: 1})[:-9]])
def test_a_broken_histogram_is_told(text: str) -> None:
    with pytest.raises(ResultsError, match="histogram in the results cannot be decoded"):
        decode_bins(text)


# --- folders that cannot be written ----------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB that is easily full."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    where = tmp_path / "small"
    where.mkdir()
    if proc.capture(("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(where)), check=False).exit_code:
        pytest.skip("a tmpfs cannot be mounted here")
    yield where
    proc.capture(("umount", str(where)))


@pytest.mark.root
def test_a_full_disk_loses_nothing_that_was_finished(small_disk: Path) -> None:
    store = Store(small_disk)
    folder = store.create(campaign())
    steps = [dataclasses.replace(STEPS[1], id=f"{n:04d}") for n in range(1, 60)]
    saved = []
    with pytest.raises(ResultsError, match=r"No space left on device; make room .*`iobench resume` goes on"):
        for step in steps:
            folder.save(campaign(), result(step))
            saved.append(step.id)
    assert 0 < len(saved) < 59
    assert folder.finished() == set(saved)
    assert sorted(set(folder.read("samples")["step"].to_pylist())) == saved
    assert folder.campaign() == campaign()
    assert list(small_disk.rglob("*.part")) == []
    # Room is made, and it goes on.
    proc.capture(("mount", "-o", "remount,size=2m", str(small_disk)))
    folder.save(campaign(), result(steps[len(saved)]))
    assert len(folder.finished()) == len(saved) + 1


@pytest.mark.root
def test_a_disk_that_is_full_from_the_first_makes_no_campaign(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left"), (small_disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    with pytest.raises(ResultsError, match=r"cannot be written to .*No space left on device"):
        Store(small_disk / "results").create(campaign())
    assert Store(small_disk / "results").ids() == []


def test_a_results_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(ResultsError, match=r"cannot be written to .*Not a directory.*--results"):
        Store(tmp_path / "results").create(campaign())
    with pytest.raises(UsageError, match=r"the results folder .* cannot be read: Not a directory; give a folder"):
        Store(tmp_path / "results").ids()


def test_every_metric_has_a_unit_of_the_contract() -> None:
    assert {m.unit for m in METRICS.values()} == {"B/s", "1/s", "s", "1"}
    assert {m.name for m in METRICS.values() if m.better == "higher"} == {
        "throughput",
        "iops",
        "transactions",
        "queries",
        "ops",
        "hits",
    }


def test_a_campaign_that_runs_is_not_deleted_or_run_twice(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    folder = store.create(campaign())
    with folder.held():
        other = store.open(folder.id)
        assert other.running()
        with pytest.raises(CannotRunError, match="is running"):
            store.remove(folder.id)
        with pytest.raises(CannotRunError, match="another iobench"), other.held():
            pass
    assert not folder.running()
    store.remove(folder.id)
    assert store.ids() == []


def test_a_histogram_that_was_kept_is_no_garbage_to_be_looked_for() -> None:
    """The library's two objects hold each other: a campaign of thousands of steps kept hundreds of megabytes so."""
    from hdrh.histogram import HdrHistogram

    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            encode_bins({1000: 5})
        assert not [each for each in gc.get_objects() if isinstance(each, HdrHistogram)]
    finally:
        gc.enable()


# --- the packed copy and the hash ------------------------------------------------------------------------


def test_a_packed_copy_reads_the_same_and_only_while_it_is_of_these_files(folder: CampaignFolder) -> None:
    plain = {table: folder.read(table) for table in results.TABLES}
    folder.pack()
    for table in results.TABLES:
        assert folder.read(table).equals(plain[table], check_metadata=True)
    first = min((folder.path / "samples").glob("*.parquet"))
    first.unlink()
    left = folder.read("samples")
    assert first.stem not in left.column("step").to_pylist() and left.num_rows < plain["samples"].num_rows


def test_a_broken_packed_copy_is_passed_over(folder: CampaignFolder) -> None:
    plain = folder.read("samples")
    folder.pack()
    (folder.path / "packed" / "samples.parquet").write_bytes(b"PAR1 nothing")
    assert folder.read("samples").equals(plain)


def test_many_files_are_packed_when_they_are_read(folder: CampaignFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A campaign that was killed has no packed copy: it is made when it is first read."""
    plain = {table: folder.read(table) for table in results.TABLES}
    assert folder.to_pack() == 0  # few
    monkeypatch.setattr(tables, "MANY", 1)
    assert folder.to_pack() == len(folder.finished()) > 0
    for table in results.TABLES:  # some columns are asked for, all are packed
        assert folder.read(table, plain[table].schema.names[-1:]).num_rows == plain[table].num_rows
    assert folder.to_pack() == 0
    monkeypatch.setattr(tables, "_read_file", None)
    for table in results.TABLES:
        assert folder.read(table).equals(plain[table], check_metadata=True)
    for table in results.TABLES:
        assert folder.read(table, plain[table].schema.names[:2]).equals(plain[table].select([0, 1]))


def _bins_of(folder: CampaignFolder) -> dict[tuple[str, str], dict[int, int]]:
    return {
        key: dict(zip(found.edges.tolist(), found.counts.tolist(), strict=True)) | {-1: found.operations}
        for key, found in folder.latencies().items()
    }


def test_latencies_are_unpacked_once_and_read_the_same(folder: CampaignFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    table = folder.read("latency").to_pylist()
    plain = _bins_of(folder)
    assert plain == {
        (row["step"], row["op"]): (bins := decode_bins(row["histogram"])) | {-1: sum(bins.values())} for row in table
    }
    assert plain and not (folder.path / "packed").exists()  # few
    monkeypatch.setattr(tables, "MANY", 1)
    assert _bins_of(folder) == plain
    monkeypatch.setattr(latencies, "decode", None)
    assert _bins_of(folder) == plain
    min((folder.path / "samples").glob("*.parquet")).unlink()  # another campaign now: its texts are read
    with pytest.raises(TypeError, match="not callable"):
        folder.latencies()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda kept: kept.set_column(2, "edges", pa.array([[9, 5]] * len(kept), pa.list_(pa.int64()))),
        lambda kept: kept.set_column(2, "edges", pa.array([[-1]] * len(kept), pa.list_(pa.int64()))),
        lambda kept: kept.set_column(2, "edges", pa.array([[1, None]] * len(kept), pa.list_(pa.int64()))),
        lambda kept: kept.set_column(2, "edges", pa.array([None] * len(kept), pa.list_(pa.int64()))),
        lambda kept: kept.set_column(2, "edges", pa.array([[1]] * len(kept), pa.list_(pa.int32()))),
        lambda kept: kept.set_column(2, "edges", pa.array([[]] * len(kept), pa.list_(pa.int64()))),
        lambda kept: kept.set_column(3, "counts", pa.array([[0]] * len(kept), pa.list_(pa.int64()))),
        lambda kept: kept.drop_columns("counts"),
    ],
    ids=["fall", "below-0", "null", "no-list", "kind", "other-length", "count-0", "lost"],
)
def test_latencies_are_read_from_their_texts_where_the_arrays_are_none(
    folder: CampaignFolder, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[pa.Table], pa.Table]
) -> None:
    monkeypatch.setattr(tables, "MANY", 1)
    plain = _bins_of(folder)
    path = folder.path / "packed" / "bins.parquet"
    kept = pq.read_table(path)
    pq.write_table(spoil(kept).replace_schema_metadata(kept.schema.metadata), path)
    assert _bins_of(folder) == plain
    assert pq.read_table(path).equals(kept)  # and are right again


def test_nothing_is_packed_by_whoever_looks_while_it_runs(
    folder: CampaignFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MANY", 1)
    with CampaignFolder(folder.path).held():
        assert folder.to_pack() == 0 and folder.read("samples").num_rows > 0
        assert not (folder.path / "packed").exists()
    folder.read("samples")
    assert (folder.path / "packed/samples.parquet").is_file()


@pytest.mark.parametrize("many", [1, 200])
def test_a_file_that_would_fill_the_memory_is_not_read(
    many: int, folder: CampaignFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that stands there 20,000 times takes a few bytes of a file."""
    monkeypatch.setattr(tables, "MANY", many)
    path = min((folder.path / "samples").glob("*.parquet"))
    one = pq.read_table(path).slice(0, 1)
    pq.write_table(one.take([0] * 20_000), path)
    assert path.stat().st_size < 20_000
    with pytest.raises(ResultsError, match=rf"{path.name} has 20,000 rows; a step has 10,000 at most in samples"):
        folder.read("samples")


def test_the_hash_is_of_what_was_measured(folder: CampaignFolder) -> None:
    before = folder.digest()
    folder.pack()
    (folder.path / "report").mkdir()
    (folder.path / "report" / "report.html").write_text("a page")
    assert folder.digest() == before and len(before) == 64
    raw = folder.raw(min(folder.finished())) / "stdout"
    raw.write_text("another word")
    assert folder.digest() != before


def test_results_are_read_where_files_cannot_be_locked(folder: CampaignFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iobench.results.store.fcntl", None)
    assert not folder.running()


@given(st.dictionaries(st.integers(1, 4 * 10**12), st.integers(1, 2**40), max_size=60))
@settings(max_examples=60, deadline=None)
def test_our_reading_of_a_histogram_is_that_of_its_library(bins: dict[int, int]) -> None:
    import numpy as np
    from hdrh.histogram import HdrHistogram

    from iobench.results.histograms import _payload

    text = results.encode_bins(bins)
    histogram = HdrHistogram.decode(text.encode("ascii"))
    counts = np.ctypeslib.as_array(histogram.encoder.payload.counts)
    wanted = {histogram.get_value_from_index(i): int(counts[i]) for i in np.flatnonzero(counts).tolist()}
    assert isinstance(_payload(text), bytes), "it is read by ourselves"
    assert results.decode_bins(text) == wanted
