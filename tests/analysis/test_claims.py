"""Claims files: what is refused, with a sentence that names the place and the nearest word."""

from __future__ import annotations

import pytest

from iobench.analysis import claims
from iobench.analysis.types import ClaimResult, DriveSummary, Estimate, Row
from iobench.errors import UsageError
from iobench.model import Better, Verdict

GOOD = """
[[claim]]
id = "x"
workload = "seq-read"
statement = "a is twice b"
ratio = { of = "a", to = "b", low = 1.7, high = 2.3 }
"""


@pytest.fixture
def load(tmp_path):
    def load(text):
        path = tmp_path / "own.toml"
        path.write_text(text, encoding="utf-8")
        return claims.load(str(path))

    return load


def test_the_talks_claims_ship():
    assert "talk-2011" in claims.names()
    rules = claims.load("talk-2011")
    assert [rule.id for rule in rules][:2] == ["seq-read-iodrive", "seq-read-vs-sas"]
    assert rules[0].test == claims.Within("iodrive", 425e6, 575e6)


def test_a_file_of_ones_own(load):
    (rule,) = load(GOOD)
    assert rule.test == claims.Times("a", "b", 1.7, 2.3)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("statement", "statment", "did you mean 'statement'"),
        ("[[claim]]", "[[claims]]", "did you mean 'claim'"),
        ("seq-read", "seq-reed", "did you mean 'seq-read'"),
        ("low = 1.7", "lo = 1.7", "did you mean 'low'"),
        ("low = 1.7", "low = 3", "the range is 3 to 2.3"),
        ("low = 1.7", "low = nan", "low is missing or is not a number"),
        ('of = "a"', "of = 3", "of is missing or is not a text"),
        ('id = "x"', "id = 3", "id is missing"),
        ("ratio = {", "target = 'a'\nratio = {", "target is given beside throughput_mb_s"),
        ("ratio = { of", "ratio = 3 # { of", "ratio is a table"),
        ("ratio = { of", "zero = ['losst'] # { of", "did you mean 'lost'"),
        ("ratio = { of", "zero = [] # { of", "zero is a list"),
        ("ratio = { of", "zero = ['lost']\nratio = { of", "exactly one of"),
        ("ratio = { of", "# { of", "it has 0"),
        (
            "ratio = { of",
            'stable = { target = "a", over = "clients", from_load = 8, least_over_most = 9 } # { of',
            "least_over_most is 9",
        ),
        ("[[claim]]", "claim = 3\n[other]", "unknown key 'other'"),
        ("ratio", "\x00", "not a TOML file"),
    ],
)
def test_what_is_refused(load, old, new, said):
    with pytest.raises(UsageError, match=said):
        load(GOOD.replace(old, new, 1))


def test_ids_are_unique(load):
    with pytest.raises(UsageError, match="two claims"):
        load(GOOD + GOOD)


def test_unknown_claims_name_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'talk-2011'"):
        claims.load("talk-2010")


def test_a_claim_of_a_drive_that_is_one_of_each_campaign_is_undecided():
    drives = [DriveSummary(name, "SSD", None, None) for name in ("iodrive (before)", "iodrive (after)")]
    figures = {drive.name: Estimate(5, 500e6, (499e6, 501e6), Verdict.VALID) for drive in drives}
    rows = [Row("seq-read", "read", "throughput", "B/s", Better.HIGHER, 8, None, {}, figures, {})]
    found = {claim.id: claim for claim in claims.evaluate(claims.load("talk-2011"), rows, drives)}
    assert found["seq-read-iodrive"].result is ClaimResult.UNDECIDED
    assert "iodrive (before) and iodrive (after)" in found["seq-read-iodrive"].sentence
    assert found["oltp-stable"].result is ClaimResult.NOT_MEASURED  # nobody ran it
    (one, *_) = claims.evaluate(claims.load("talk-2011"), [], drives[:1])
    assert one.result is ClaimResult.NOT_MEASURED
