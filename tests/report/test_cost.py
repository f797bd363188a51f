"""Drives as their profiles have them shown, and rates per money."""

from dataclasses import replace
from pathlib import Path

import pytest
from making import comparison, drive, row, usual

from iobench.analysis.types import Comparison, Difference
from iobench.errors import UsageError
from iobench.report import charts, cost, look
from iobench.texts import LANGUAGES, Words

PRICES = {"iodrive": 980_000, "ssd": 60_000, "sas": 480_000}


def profile(folder: Path, name: str, text: str) -> str:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def priced(folder: Path, what: Comparison, currency: str = "JPY") -> Comparison:
    asked = [(n, profile(folder, n, f'price = {p}\ncurrency = "{currency}"\n')) for n, p in PRICES.items()]
    return look.dressed(what, asked)


def test_a_chart_of_throughput_per_money_has_each_drives_figure_over_its_price(tmp_path: Path) -> None:
    made = {c.spec.id: c for c in charts.charts(priced(tmp_path, usual()), Words("en"))}
    chart = made["seq-read-throughput-per-price"]
    values = {s.drive: s.points[0].value for s in chart.spec.series}
    assert values == pytest.approx({"iodrive": 5e8 / 98, "ssd": 2.5e8 / 6, "sas": 1.48e8 / 48})
    points = {s.drive: s.points[0] for s in chart.spec.series}
    assert points["ssd"].ratio is not None and points["iodrive"].ratio is not None
    assert points["ssd"].ratio.ratio == pytest.approx(2.5e8 / 1.48e8 * 480 / 60)
    assert points["ssd"].ratio.difference is Difference.HIGHER
    assert points["iodrive"].low == pytest.approx(5e8 / 98 * 0.97)
    assert chart.spec.axis == "Throughput per 10,000 JPY, MB/s"
    assert "iodrive 980,000 JPY" in " ".join(chart.spec.footnotes)
    assert "for its price ssd gives 13.5 times the throughput of sas" in chart.spec.title
    # At the highest load, of a rate, and of nothing where less is better.
    assert made["rand-read-iops-per-price"].rows[0].load == 64
    assert not any("latency" in name or "elapsed" in name for name in made if name.endswith("price"))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_without_one_currency_there_is_no_such_chart(tmp_path: Path, lang: str) -> None:
    what = priced(tmp_path, usual())
    mixed = replace(what, drives=(replace(what.drives[0], currency="USD"), *what.drives[1:]))
    for one in (usual(), mixed):
        assert not any(c.spec.id.endswith("price") for c in charts.charts(one, Words(lang)))


def test_a_profile_gives_label_colour_and_place(tmp_path: Path) -> None:
    what = comparison([drive("a"), drive("sas")], [row("seq-read", "throughput", {"a": 5e8, "sas": 1e8})])
    named = profile(tmp_path, "x", 'label = "SAS 15k"\ncolor = "#123456"\norder = 1\n')
    spec = charts.charts(look.dressed(what, [("sas", named)]), Words("en"))[0].spec
    assert [s.label for s in spec.series] == ["SAS 15k", "a"]
    assert spec.series[0].color == "#123456" and spec.series[0].baseline
    assert spec.title == "a reads 5.0 times as fast as SAS 15k"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('color = "red"', "#0072B2"),
        ("price = 3", "belong together"),
        ('price = 0\ncurrency = "JPY"', "above 0"),
        ('price = 1\ncurrency = "yen"', "JPY"),
        ('order = "first"', "whole number"),
        ("colour = 3", "color"),
    ],
)
def test_a_profile_that_is_not_so_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        look.load(profile(tmp_path, "x", text))


def test_a_profile_holds_for_a_target_in_each_of_several_campaigns(tmp_path: Path) -> None:
    names = ("sas (before)", "sas (after)")
    what = comparison(
        [drive(n) for n in names], [row("seq-read", "throughput", dict.fromkeys(names, 100000000.0))], None
    )
    what = replace(what, names={("a", "sas"): names[0], ("b", "sas"): names[1]})
    asked = profile(tmp_path, "x", 'label = "SAS 15k"\ncolor = "#123456"\nprice = 5\ncurrency = "USD"\n')
    first, second = look.dressed(what, [("sas", asked)]).drives
    assert (first.label, second.label) == ("SAS 15k (before)", "SAS 15k (after)")
    assert (first.color, second.color) == ("#123456", None) and first.price == second.price == 5


def test_what_was_offered_and_an_outage_have_no_cost(tmp_path: Path) -> None:
    plain = row("kvs", "hits", {"iodrive": 9e4, "ssd": 5e4, "sas": 1e4}, load=8, op="get")
    offered = replace(plain, rate=500.0)
    failed = replace(plain, load=64, params={**plain.params, "outage": "kill"})
    few = replace(plain, targets={name: replace(own, n=1) for name, own in plain.targets.items()})
    what = comparison([drive(name) for name in PRICES], [plain, few, offered, failed])
    (priced_row,) = cost.rows(priced(tmp_path, what))
    assert priced_row.load == 8 and {own.n for own in priced_row.targets.values()} == {5}


def test_an_unknown_drive_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="iodrive"):
        look.dressed(usual(), [("iodriv", "iodrive")])
