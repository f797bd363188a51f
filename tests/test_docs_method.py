"""Holds the documents to the code: reasons and thresholds, columns, options, links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from iobench import params, runners
from iobench.analysis import handover, loadpoints, search, steady
from iobench.campaign import evidence, measuring, remains, silence, verdict
from iobench.campaign import handover as acceptance
from iobench.model import INVALID_REASONS, Evidence, LimitedBy
from iobench.results import TABLES, schema

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
OWN = (
    "index",
    "capacity",
    "handover",
    "steady",
    "verify",
    "tutorial",
    "architecture",
    "method",
    "seq",
    "rand",
    "dd",
    "dbench",
    "oltp",
    "kvs",
    "results",
    "profiles",
    "block-devices",
)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "results/README.md", *(DOCS / f"{n}.md" for n in OWN)]
METHOD = (DOCS / "method.md").read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """The part of a page below a heading, up to the next heading of any level."""
    match = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, f"no heading {title!r}"
    return match[1]


def rows(text: str) -> list[list[str]]:
    """The cells of a part's tables, heads and rules left out."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def thresholds() -> dict[str, float]:
    """Every numeric constant of the modules that judge."""
    found = {}
    for module in (
        evidence,
        verdict,
        loadpoints,
        search,
        handover,
        steady,
        acceptance,
        remains,
        measuring,
        silence,
    ):
        for name, value in vars(module).items():
            if name.isupper() and not name.startswith("_") and isinstance(value, int | float):
                found[name] = float(value)
    return found


def test_every_reason_has_its_row_and_its_verdict() -> None:
    table = {names(row[0])[0]: row for row in rows(section(METHOD, "Reasons"))}
    assert set(table) == set(verdict.REASONS)
    assert {id: row[1] for id, row in table.items()} == {
        id: "invalid" if id in INVALID_REASONS else "suspect" for id in verdict.REASONS
    }
    assert all(len(row) == 4 and row[2] and row[3] for row in table.values()), "each has a rule and says why"


def test_a_reason_has_one_row() -> None:
    ids = [names(row[0])[0] for row in rows(section(METHOD, "Reasons"))]
    assert len(ids) == len(set(ids))


def test_every_threshold_is_shown_with_its_value() -> None:
    shown = [(name, float(value)) for name, value in re.findall(r"`([A-Z][A-Z_]+) = ([0-9.e+-]+)`", METHOD)]
    known = thresholds()
    assert {name for name, _ in shown} == set(known)
    assert [(n, v) for n, v in shown if known[n] != pytest.approx(v)] == []


def test_every_column_of_the_evidence_is_explained() -> None:
    explained = [name for row in rows(section(METHOD, "Evidence")) for name in names(row[0])]
    assert sorted(explained) == sorted(Evidence.__dataclass_fields__)


def test_every_word_of_limited_by_is_explained() -> None:
    part = section(METHOD, "limited_by")
    assert {word for word in names(part) if word in set(LimitedBy)} == set(LimitedBy)


@pytest.mark.parametrize("table", TABLES)
def test_every_column_of_a_table_is_described(table: str) -> None:
    part = section((DOCS / "results.md").read_text(encoding="utf-8"), table)
    kinds = {
        "string": "text",
        "int64": "int",
        "double": "double",
        "bool": "bool",
        "timestamp[us, tz=UTC]": "timestamp",
    }
    described = [(names(row[0])[0], row[1]) for row in rows(part)]
    assert described == [(field.name, kinds.get(str(field.type), "list of text")) for field in schema(table)], (
        "names, types and order are those of the schema"
    )


@pytest.mark.parametrize("name", list(runners.registry()))
def test_every_option_of_a_workload_is_explained_with_its_default(name: str) -> None:
    from iobench.cli.options import show_default

    table = {
        names(row[0])[0]: row for row in rows(section((DOCS / f"{name}.md").read_text(encoding="utf-8"), "Options"))
    }
    for p in params.describe(runners.find(name).Params):
        row = table[f"--{p.name.replace('_', '-')}"]
        if p.default is None:
            assert ("a tenth of the room" in row[1]) if p.name == "size" else row[1]
        else:
            assert row[1] == ("off" if p.default is False else f"`{show_default(p)}`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_anchor_is_a_heading(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            there = (page.parent / target).read_text(encoding="utf-8") if target else page.read_text(encoding="utf-8")
            heads = {head.lower().replace(" ", "-") for head in re.findall(r"^#+ (.+)$", there, re.MULTILINE)}
            assert anchor in heads, f"{page.name} links to {target}#{anchor}"
