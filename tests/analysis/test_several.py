"""Several campaigns: their names, what keeps them from being compared, and that it is said where it was asked for."""

import json
from dataclasses import replace

import pytest
from stored import Measured, make_campaign

from iobench.analysis import several
from iobench.analysis.claims import load
from iobench.analysis.compare import compare
from iobench.errors import UsageError
from iobench.report import Options, Several, build
from iobench.results import CampaignFolder, to_json


def campaign(root, id, size=4096, loads=(1, 8), host="host", **tools) -> CampaignFolder:
    works = [
        Measured("sas", {"iops": [1000.0 * load + i for i in range(5)]}, "rand-read", load=load, params=params)
        for load in loads
        for params in ({"block_size": size, "depth": load},)
    ]
    made = make_campaign(root, *works, id=id)
    told = replace(made.campaign(), host={"name": host}, tools=tools or {"fio": "fio-3.33", "iobench": "iobench 0.1.0"})
    (made.path / "campaign.json").write_text(json.dumps(to_json(told)), encoding="utf-8")
    return made


def test_other_parameters_are_refused_and_named(tmp_path):
    both = [campaign(tmp_path, "20250101-000000"), campaign(tmp_path, "20250102-000000", size=8192)]
    with pytest.raises(UsageError) as refused:
        compare(both, called=("before", "after"))
    assert "rand-read: block_size is 4096 in before and 8192 in after" in str(refused.value)
    assert "--anyway" in str(refused.value)


def test_anyway_they_stand_side_by_side_and_it_is_said(tmp_path):
    both = [campaign(tmp_path, "20250101-000000"), campaign(tmp_path, "20250102-000000", size=8192)]
    comparison = compare(both, rules=load("talk-2011"), anyway=True, called=("before", "after"))
    assert [set(row.targets) for row in comparison.rows] == [{"sas (before)", "sas (after)"}] * 2
    assert all("block_size" not in row.params for row in comparison.rows)
    assert len(comparison.despite) == 1 and comparison.claims == ()
    for lang, said in (("en", "did not do the same work"), ("ja", "条件が揃っていません")):
        out = build(
            both, tmp_path / lang, Options(("html",), lang, several=Several(anyway=True, called=("before", "after")))
        )
        page = out[-1].read_text(encoding="utf-8")
        head = page.split("<main>")[0]
        assert said in head and "block_size" in head
        assert page.count(said) > 1, "also under each chart"


def test_another_major_version_is_refused_and_another_minor_one_is_not(tmp_path):
    old = campaign(tmp_path, "20250101-000000", fio="fio-2.21")
    new = campaign(tmp_path, "20250102-000000", fio="fio-3.33")
    newer = campaign(tmp_path, "20250103-000000", fio="fio-3.36")
    with pytest.raises(UsageError, match=r"fio is fio-2.21 in 20250101-000000 and fio-3.33 in 20250102-000000"):
        compare([old, new])
    assert compare([new, newer]).despite == ()


def test_other_loads_and_work_that_only_one_did_are_no_gap(tmp_path):
    one, other = (
        campaign(tmp_path, "20250101-000000", loads=(1, 8)),
        campaign(tmp_path, "20250102-000000", loads=(8, 64)),
    )
    rows = compare([one, other]).rows
    assert [(row.load, len(row.targets)) for row in rows] == [(1, 1), (8, 2), (64, 1)]


def test_three_servers_are_called_by_their_hosts(tmp_path):
    three = [campaign(tmp_path, f"2025010{i}-000000", host=f"web{i}") for i in (1, 2, 3)]
    comparison = compare(three)
    assert [drive.name for drive in comparison.drives] == ["sas (web1)", "sas (web2)", "sas (web3)"]
    assert comparison.baseline == "sas (web1)"
    same = [folder.campaign() for folder in three]
    assert several.labels([same[0], replace(same[0], id="other")]) == {same[0].id: same[0].id, "other": "other"}
