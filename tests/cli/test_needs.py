"""`iobench capacity --from --need --page`: how many drives are needed, of what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stored import Measured, make_campaign

from iobench.cli.main import run

PRICES = """
currency = "JPY"
[drives]
ssd = 100
sas = 100
"""


def test_what_is_needed_of_each_drive_is_worked_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """20 random reads a page: a drive of 2,000 reads a second gives 100 pages a second."""
    of = {"workload": "rand-read", "load": 8}
    make_campaign(
        tmp_path / "results",
        Measured("ssd", {"iops": [2000.0] * 5}, bins=[{1_000_000: 5000}] * 5, **of),
        Measured("sas", {"iops": [1000.0] * 5}, bins=[{5_000_000: 5000}] * 5, **of),
    )
    (tmp_path / "prices.toml").write_text(PRICES)
    asked = ["capacity", "--from", "latest", "--need", "2100 reads/s, 1 MB", "--page", "rand-read=20"]
    asked += ["--prices", str(tmp_path / "prices.toml"), "--results", str(tmp_path / "results")]
    assert run([*asked, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    found = {s["drive"]: (s["count"], s["first"]["kind"]) for s in document["sizing"]}
    assert found == {"ssd": (2, "reads/s"), "sas": (3, "reads/s")}
    assert [round(page["pages"]) for drive in ("ssd", "sas") for page in document["pages"][drive]] == [100, 50]
    assert run(asked) == 0
    said = capsys.readouterr().out
    assert "2,100 reads/s of 2,000 reads/s × 0.7 = 1,400 reads/s usable: 1.5" in said
    assert "200 JPY" in said and "300 JPY" in said
