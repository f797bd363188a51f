"""Why steps gave no number is kept as data: said in the reader's language, with a program's words as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from stored import Measured, make_campaign

from iobench.campaign import journal
from iobench.campaign.failed import failures
from iobench.cli.main import iobench
from iobench.errors import ToolError
from iobench.model import Output
from iobench.results import CampaignFolder
from iobench.runners import dd
from iobench.texts import Phrase, Words, kept, said_by

SAID = "fio: io_u error on file data.0: Remote I/O error"


@pytest.fixture
def folder(tmp_path: Path) -> CampaignFolder:
    """A campaign whose second step was tried and is not there."""
    return make_campaign(tmp_path, Measured("sas", {"throughput": (1e8, 1.1e8)}), unfinished=1)


def _fail(folder: CampaignFolder, told: object) -> Phrase:
    step = folder.campaign().steps[-1].id
    journal.write(folder.path, "failed", step=step, error=told, exit_code=4)
    return failures(CampaignFolder(folder.path))[step]


def test_a_sentence_that_is_data_is_said_in_both_languages(folder: CampaignFolder) -> None:
    error = ToolError(Phrase("failed.no-result", {"program": "fio", "code": 4, "said": SAID}))
    assert str(error) == f"fio wrote no result (exit code 4): {SAID}"
    why = _fail(folder, kept(said_by(error)))
    assert str(why) == str(error)
    said = Words("ja").say(why)
    assert SAID in said and "出力の最後の行" in said, "whose words they are"
    assert not {"wrote", "result"} & set(said.replace(SAID, "").split())


def test_a_sentence_that_was_kept_as_text_is_said_to_be_so(folder: CampaignFolder) -> None:
    why = _fail(folder, "fio wrote no result")
    assert str(why) == "fio wrote no result"
    assert Words("ja").say(why) == "fio wrote no result（英語の記録のまま）"


def test_show_and_explain_say_it_in_japanese_and_scripts_get_english(folder: CampaignFolder) -> None:
    told = kept(Phrase("failed.timeout", {"program": "dbench", "seconds": 303.0}))
    _fail(folder, told)
    step, where = folder.campaign().steps[-1].id, ["--results", str(folder.path.parent)]

    def run(*asked: str) -> str:
        done = CliRunner().invoke(iobench, [*asked, *where])
        assert done.exit_code == 0, done.output
        return done.output

    english = "dbench did not end within 303 s and was stopped"
    assert "dbench は 303 秒以内に終わらず" in run("explain", "latest", step, "--lang", "ja")
    assert english in run("explain", "latest", step)
    assert json.loads(run("explain", "latest", step, "--json"))["error"] == english
    assert [s["error"] for s in json.loads(run("show", "--json"))["results"]][-1] == english


def test_a_program_that_said_nothing(folder: CampaignFolder) -> None:
    work, *_ = dd.plan(dd.Params(size=1 << 20, ops=("write",)))
    with pytest.raises(ToolError) as caught:
        dd.read(work, Output((), 1, "", "", {}, 1.0, 1.0))
    assert str(caught.value).endswith("exit code 1: it said nothing")
    assert "出力なし" in Words("ja").tell(said_by(caught.value))
