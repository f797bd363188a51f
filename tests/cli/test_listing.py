"""list, show, explain, rm and import: what is stored, as text and as JSON."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from saying import Say
from stored import Measured

from iobench import proc
from iobench.campaign.verdict import REASONS
from iobench.cli import clean as clean_module
from iobench.cli import listing
from iobench.drives import marker as markers
from iobench.model import INVALID_REASONS, Evidence, Verdict
from iobench.results import CampaignFolder, write_safely
from iobench.texts import TEXTS

FIXTURES = Path(__file__).parents[1] / "fixtures"
DD = "16+0 records in\n16+0 records out\n16777216 bytes (17 MB, 16 MiB) copied, 0.5 s, 33.6 MB/s\n"


@pytest.fixture
def folder(make_campaign: Callable[..., CampaignFolder]) -> CampaignFolder:
    fast = Measured("fast", {"throughput": [500e6, 510e6, 505e6]}, unsound={2: (Verdict.SUSPECT, "too-short")})
    slow = Measured("遅い", {"throughput": [150e6, 151e6, 149e6]}, unsound={1: (Verdict.INVALID, "page-cache")})
    return make_campaign(fast, slow, unfinished=1)


def test_list(say: Say, folder: CampaignFolder) -> None:
    said = say("list")
    assert said.code == 0
    head, line = said.out.splitlines()
    assert head.split() == ["CAMPAIGN", "TITLE", "TARGETS", "STEPS", "STATUS"]
    assert "fast, 遅い" in line and "5/6" in line and line.endswith("interrupted")
    document = say("list", "--json").json
    assert document["schema_version"] == 1
    assert document["campaigns"] == [
        {
            "id": folder.id,
            "title": "made for a test",
            "created_at": "2025-01-01T00:00:00+00:00",
            "targets": ["fast", "遅い"],
            "finished": 5,
            "steps": 6,
            "status": "interrupted",
        }
    ]


def test_an_empty_results_folder(say: Say) -> None:
    said = say("list")
    assert said.code == 0 and "there is no campaign in" in said.out and "iobench suite quick" in said.out
    assert say("list", "--json").json["campaigns"] == []
    for command in (["show"], ["resume"], ["compare"], ["rm", "x"], ["explain", "latest", "s0-1"]):
        said = say(*command)
        assert said.code == 2 and "there is no campaign" in said.err, command


def test_a_broken_campaign_is_listed_and_hides_no_other(say: Say, folder: CampaignFolder, tmp_path: Path) -> None:
    broken = tmp_path / "results" / "20240101-000000"
    broken.mkdir()
    (broken / "campaign.json").write_text('{"schema_version": 99}')
    campaigns = say("list", "--json").json["campaigns"]
    assert [each["status"] for each in campaigns] == ["unreadable", "interrupted"]
    assert "schema version 99" in campaigns[0]["title"]
    said = say("show", "20240101-000000")
    assert said.code == 4 and "schema version 99" in said.err


BREAKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "torn": (lambda path: os.truncate(path / "campaign.json", 200), "is not a campaign that iobench wrote"),
    "bytes": (lambda path: (path / "campaign.json").write_bytes(bytes(range(256))), "is not a campaign"),
    "older": (lambda path: (path / "campaign.json").write_text('{"schema_version": 0}'), "schema version 0"),
    "no-evidence": (lambda path: (path / "evidence").rmdir(), "has lost its folder evidence"),
    "no-samples": (lambda path: (path / "samples").rmdir(), "has lost its folder samples"),
    "a-file": (lambda path: ((path / "samples").rmdir(), (path / "samples").write_text("")), "Not a directory"),
}


def test_of_a_thousand_campaigns_the_broken_ones_say_why(say: Say, folder: CampaignFolder) -> None:
    plan = (folder.path / "campaign.json").read_text()
    for number in range(1000):
        path = folder.path.with_name(f"20240101-{number:06d}")
        for table in ("samples", "evidence", "series", "latency"):
            (path / table).mkdir(parents=True)
        (path / "campaign.json").write_text(plan.replace(folder.id, path.name))
    for place, (spoil, _) in enumerate(BREAKS.values()):
        spoil(folder.path.with_name(f"20240101-{100 * place:06d}"))
    campaigns = {each["id"]: each for each in say("list", "--json").json["campaigns"]}
    assert len(campaigns) == 1001
    broken = [each for each in campaigns.values() if each["status"] == "unreadable"]
    assert [each["id"] for each in broken] == [f"20240101-{100 * place:06d}" for place in range(len(BREAKS))]
    for each, (_, sentence) in zip(broken, BREAKS.values(), strict=True):
        assert sentence in each["title"] and each["id"] in each["title"]
        assert "Traceback" not in say("show", each["id"]).err
    assert campaigns[folder.id]["finished"] == 5


@pytest.mark.parametrize(("table", "command"), [("samples", "show"), ("samples", "compare"), ("latency", "compare")])
def test_a_torn_or_lost_table_is_named(say: Say, folder: CampaignFolder, table: str, command: str) -> None:
    victim = min((folder.path / table).glob("*.parquet"))
    whole = victim.read_bytes()
    victim.write_bytes(whole[: len(whole) // 2])
    said = say(command)
    assert said.code == 4 and str(victim) in said.err and "is not a Parquet file that can be read" in said.err
    if table != "samples":
        victim.unlink()
        said = say(command)
        assert said.code == 4 and f"{folder.path / table} has lost 1 of 5 finished steps, {victim.stem}" in said.err


def test_show(say: Say, folder: CampaignFolder) -> None:
    text = say("show").out
    assert "fast: /mnt/fast (sd0, SSD, raw)" in text
    lines = {line.split()[0]: line for line in text.splitlines() if line.startswith("s")}
    assert lines["s0-1"].split()[1:3] == ["fast", "valid"] and "500 MB/s" in lines["s0-1"]
    assert "suspect" in lines["s0-2"] and "too-short" in lines["s0-2"]
    assert "invalid" in lines["s1-1"] and "page-cache" in lines["s1-1"]
    assert "not run" in lines["s1-3"] and "MB/s" not in lines["s1-3"]
    document = say("show", folder.id[:8], "--json").json
    assert document["id"] == folder.id and document["host"] == {"name": "host"}
    by_step = {row["step"]: row for row in document["results"]}
    assert by_step["s0-1"]["values"] == [{"op": "read", "metric": "throughput", "unit": "B/s", "value": 500e6}]
    assert by_step["s1-3"]["verdict"] is None and by_step["s1-3"]["values"] == []


def test_an_unknown_campaign_is_told_with_the_nearest(say: Say, folder: CampaignFolder) -> None:
    for command in ("show", "resume", "rm", "compare"):
        said = say(command, "20250101-000001")
        assert said.code == 2 and f"did you mean {folder.id!r}?" in said.err


@pytest.mark.parametrize("reason", REASONS)
def test_explain_a_reason(reason: str, say: Say) -> None:
    said = say("explain", reason)
    assert said.code == 0
    assert said.out == f"{reason} ({'invalid' if reason in INVALID_REASONS else 'suspect'}): {REASONS[reason]}\n"
    verdict = "無効" if reason in INVALID_REASONS else "要注意"
    assert say("explain", reason, "--lang", "ja").out == f"{reason}（{verdict}）：{TEXTS['ja'][f'reason.{reason}']}\n"


def test_explain_a_step(say: Say, folder: CampaignFolder) -> None:
    write_safely(
        folder.raw("s1-2") / "findings.json",
        json.dumps([{"reason": "thermal", "sentence": "hot", "key": "judged.thermal", "figures": {"limit": 70.0}}]),
    )
    hot = say("explain", folder.id, "s1-2", "--lang", "ja").out
    assert "thermal：ステップ後のドライブの温度は ? °C で、上限は 70 °C です。" in hot and "検証記録：" in hot
    assert re.search(r"^  デバイス +不明$", hot, re.MULTILINE)
    marked = say("explain", folder.id, "s1-1").out
    assert marked.startswith("s1-1: page-cache\n\npage-cache: page-cache, with figures\n\n")
    assert (
        re.search(r"^  device bytes read +not known$", marked, re.MULTILINE)
        and f"raw outputs: {folder.raw('s1-1')}" in marked
    )
    assert say("explain", "latest", "s0-1").out.startswith("s0-1: valid\n")
    assert say("explain", "latest", "s1-3").out == "s1-3 has no number: it was not run\n"
    for step in ("s9", "s0", "17"):
        assert say("explain", "latest", step).code == 2
    asked = say("explain", folder.id)
    assert asked.code == 2 and "which step?" in asked.err


def test_rm_needs_the_whole_id_and_a_yes(say: Say, folder: CampaignFolder) -> None:
    asked = say("rm", folder.id)
    assert asked.code == 2 and "add --yes" in asked.err
    part = say("rm", "2025", "--yes")
    assert part.code == 2 and f"give the whole id to delete a campaign: {folder.id}" in part.err
    assert say("rm", "latest", "--yes").code == 2
    assert folder.path.exists()
    said = say("rm", folder.id, "--yes")
    assert said.code == 0 and said.out == f"deleted {folder.id}\n" and not folder.path.exists()


def test_what_explain_says_as_one_document(say: Say, folder: CampaignFolder) -> None:
    assert say("explain", "page-cache", "--json").json == {
        "schema_version": 1,
        "reason": "page-cache",
        "verdict": "invalid",
        "sentence": REASONS["page-cache"],
    }
    marked = say("explain", "latest", "s1-1", "--json").json
    assert (marked["schema_version"], marked["campaign"], marked["step"]) == (1, folder.id, "s1-1")
    assert (marked["verdict"], marked["error"], marked["raw"]) == ("invalid", None, str(folder.raw("s1-1")))
    assert marked["findings"] == [{"reason": "page-cache", "sentence": "page-cache, with figures"}]
    assert set(marked["evidence"]) == set(Evidence.__dataclass_fields__)
    assert marked["evidence"]["device_bytes_read"] is None
    assert [say("explain", "latest", s, "--json").json["verdict"] for s in ("s0-1", "s0-2")] == ["valid", "suspect"]
    unmeasured = say("explain", "latest", "s1-3", "--json").json
    assert (unmeasured["verdict"], unmeasured["evidence"], unmeasured["error"]) == (None, None, "it was not run")


def test_what_rm_says_as_one_document(say: Say, folder: CampaignFolder) -> None:
    refused = say("rm", folder.id, "--json")
    assert (refused.code, refused.out) == (2, "") and folder.path.exists()
    said = say("rm", folder.id, "--yes", "--json")
    assert said.json == {"schema_version": 1, "deleted": folder.id} and not folder.path.exists()


def test_what_clean_says_as_one_document(say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "drive" / f"{markers.PREFIX}c1"
    left.mkdir(parents=True)
    marker = markers.Marker("c1", os.uname().nodename, "an earlier boot", 1, 1, "2025-01-01T00:00:00+00:00")
    (left / markers.MARKER).write_text(json.dumps({name: getattr(marker, name) for name in marker.__slots__}))
    (left / "data").write_text("x")
    (left / "folder").mkdir()
    # Not this machine's programs and drives: another session's are none of a test's business.
    monkeypatch.setattr(proc, "end_orphans", lambda: 0)
    monkeypatch.setattr(clean_module, "mounts", list)
    nothing: dict[str, object] = {"schema_version": 1, "programs_ended": 0, "folders": [], "drives": [], "silent": []}
    kept = {"path": str(left), "left": ["folder"]}
    assert say("clean", str(left.parent), "--json").json == {**nothing, "folders": [kept]}
    (left / "folder").rmdir()
    gone = {"path": str(left), "left": []}
    assert say("clean", str(left.parent), "--json").json == {**nothing, "folders": [gone]}
    assert not left.exists()
    assert say("clean", str(left.parent), "--json").json == nothing


def test_campaigns_are_completed_from_where_they_are_kept(
    folder: CampaignFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, parameter = click.Context(listing.show), listing.show.params[0]

    def offered() -> list[str]:
        return [item.value for item in listing.complete_campaign(context, parameter, "")]

    monkeypatch.setenv("IOBENCH_RESULTS", str(folder.path.parent))
    assert offered() == ["latest", folder.id]
    monkeypatch.setenv("IOBENCH_RESULTS", str(folder.path / "none"))
    assert offered() == ["latest"]
    context.params["results"] = folder.path.parent
    assert offered() == ["latest", folder.id]


@pytest.mark.parametrize("name", ["../home", "..", "/", ".", ""])
def test_rm_never_leaves_the_results_folder(name: str, say: Say, folder: CampaignFolder, tmp_path: Path) -> None:
    (tmp_path / "home" / "campaign.json").write_text("{}")
    assert say("rm", name, "--yes").code == 2
    assert folder.path.exists() and (tmp_path / "home" / "campaign.json").exists()


# --- import ---------------------------------------------------------------------------------------------


def test_import_makes_a_campaign_without_evidence(say: Say, tmp_path: Path) -> None:
    files = []
    for number in (1, 2):
        path = tmp_path / f"dd-{number}.txt"
        path.write_text(DD)
        files.append(f"old drive={path}")
    said = say("import", *files, "--dd-as", "dd-read")
    assert said.code == 0, said.err
    assert "2 measurement(s) imported, without evidence" in said.out
    document = say("show", "--json").json
    assert [(row["workload"], row["repeat"]) for row in document["results"]] == [("dd-read", 1), ("dd-read", 2)]
    assert all(row["verdict"] == "suspect" and "no-device" in row["reasons"] for row in document["results"])
    (row,) = [row for row in say("compare", "--json").json["rows"] if row["metric"] == "elapsed"]
    assert row["targets"]["old drive"]["median"] == 0.5


def test_what_import_says_as_one_document(say: Say, tmp_path: Path) -> None:
    path = tmp_path / "dd.txt"
    path.write_text(DD)
    document = say("import", str(path), "--json").json
    campaign = say("show", "--json").json["id"]
    told = {"campaign": campaign, "measurements": 1, "path": str(tmp_path / "results" / campaign)}
    assert document == {"schema_version": 1, **told}


def test_import_of_fio(say: Say) -> None:
    path = next(iter(sorted((FIXTURES / "fio-3.33").glob("*.json"))))
    document = json.loads(path.read_text()[path.read_text().index("{") :])
    said = say("import", f"drive={path}")
    assert said.code == 0, said.err
    jobs = [job for job in document["jobs"] if job["read"]["total_ios"] + job["write"]["total_ios"]]
    assert len(say("show", "--json").json["results"]) == len(jobs)


@pytest.mark.parametrize(
    ("content", "code", "sentence"),
    [
        (None, 2, "there is no file"),
        ("", 4, "is neither fio's JSON"),
        ("hello", 4, "is neither fio's JSON"),
        ('{"fio version": "fio-3.33"', 4, "is not JSON that fio 3 writes"),
        ('{"fio version": "fio-3.33", "jobs": []}', 4, "holds no job that did I/O"),
        ("0 bytes copied, 0 s", 4, "no rate follows from that"),
    ],
)
def test_what_cannot_be_imported_is_named(
    content: str | None, code: int, sentence: str, say: Say, tmp_path: Path
) -> None:
    path = tmp_path / "others"
    if content is not None:
        path.write_text(content)
    said = say("import", str(path))
    assert said.code == code and sentence in said.err and str(path) in said.err
    assert not (tmp_path / "results").exists()


def _with(column: str, value: object) -> Callable[[Path], None]:
    """Give a step's samples one value in a column."""

    def change(path: Path) -> None:
        table = pq.read_table(path, partitioning=None)
        field = table.schema.field(column)
        values = pa.array([value] * table.num_rows, field.type)
        pq.write_table(table.set_column(table.schema.get_field_index(column), field, values), path)

    return change


def _looped(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _undecodable(path: Path) -> None:
    path.rename(path.with_name("\udcff\udcfe.parquet"))


@pytest.mark.parametrize(
    "spoil",
    [
        _with("value", float("nan")),
        _with("value", 1e308),
        _with("rate", float("nan")),
        _with("metric", "\x1b[2J<script>"),
        _looped,
        _undecodable,
        lambda path: path.rename(path.with_name("a\nb.parquet")),
    ],
    ids=["nan", "endless", "rate", "metric", "looped", "undecodable", "line"],
)
def test_a_foreign_table_is_told_by_whatever_looks_at_it(
    spoil: Callable[[Path], None], say: Say, folder: CampaignFolder, tmp_path: Path
) -> None:
    spoil(min((folder.path / "samples").glob("*.parquet")))
    for words in (
        ["list"],
        ["show"],
        ["show", "--json"],
        ["compare"],
        ["compare", "--json"],
        ["explain", "latest", "s0-1"],
    ):
        said = say(*words)
        assert said.code in (0, 1, 4) and "should not have happened" not in said.err, (words, said.err)
        assert "\x1b" not in said.out + said.err
    assert say("compare").code == 4
