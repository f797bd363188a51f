"""No sentence that a report, a sheet or a comparison shows stands outside the tables of texts, in English only."""

from pathlib import Path

import english
import pytest

import iobench

ROOT = Path(iobench.__file__).parent
TEMPLATES = ROOT / "report" / "templates"
# Where the reader's language holds: all of the report, what is found out for it, and the commands with --lang.
COMMANDS = ("compare", "screen", "remarks", "explain", "listing", "capacity", "holding", "validate")
SHOWN = [
    *sorted((ROOT / "report").rglob("*.py")),
    *sorted((ROOT / "analysis").glob("*.py")),
    *(ROOT / "cli" / f"{name}.py" for name in COMMANDS),
]
# Names of fonts, styles, and parts of errors, which may be English, as progress, `list` and a dry run may.
ALLOWED = {
    "report/canvas.py": {"Noto Sans", "Noto Sans CJK JP", "Noto Sans Thai", "Noto Sans Arabic", "Arial Unicode MS"}
    | {"DejaVu Sans", "Glyph .* missing"},
    "report/fonts/__init__.py": {"iobench Sans JP"},
    "report/html.py": {
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{}'; font-src data:",
    },
    "report/look.py": {
        "a text",
        "a whole number",
        "a number",
        'a colour such as "#0072B2"',
        'a currency such as "JPY"',
    },
    "report/pdf.py": {"libpangoft2-1.0-0 libharfbuzz-subset0", "the Python library weasyprint"},
    "report/slides/chart.py": {"iobench · "},
    "report/slides/theme.py": {"Yu Gothic", "Title Only"},
    "report/svg.py": {
        "'{}', 'Noto Sans', 'Segoe UI', Arial, 'Hiragino Sans', 'Yu Gothic', Meiryo, sans-serif",
        "rect {}",
    },
    "analysis/claims.py": {"{}: claim {}"},
    "analysis/order.py": {"profile {}", "an entry", "{}: [[performance]]", "{}: [preparation]", "{}: [integrity]"}
    | {"{}: [integrity] {}", "it is not a number"},
    "analysis/several.py": {"; and {} more"},
    "analysis/sizing.py": {"write it as '20000 gets/s, 800 transactions/s, 300 GB'", "{}: each", "{}: price"},
    "analysis/slo.py": {"write it as 'rand-read p99<1ms', or with several conditions as 'kvs p50<1ms p99<5ms'"},
    "cli/listing.py": {"there is no campaign in {}; `iobench suite quick -t NAME=PATH` makes one", "deleted {}"},
    "cli/capacity.py": {
        *(
            "a search follows",
            "{} searches follow",
            "--by load",
            "{}, of about a dozen points each: about {} in all, a guess",
        ),
        "# nothing would be run or written: without --slo nothing is measured",
    },
}


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_shown_comes_from_the_texts(path: Path) -> None:
    found = set(english.in_code(path.read_text(encoding="utf-8")))
    allowed = ALLOWED.get(str(path.relative_to(ROOT)), set())
    assert found - allowed == set(), "put it into iobench/texts/, or allow it here"


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_kept_as_a_sentence_is_a_phrase(path: Path) -> None:
    assert list(english.told_as_text(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", sorted(TEMPLATES.iterdir()), ids=lambda path: path.name)
def test_templates_hold_no_words(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    look = {".html": english.in_template, ".js": english.in_script}.get(path.suffix, lambda _: iter(()))
    assert list(look(source)) == []


PLANTED = [
    'def f(words, n): return words("x") + f" over {n} rounds"',
    'def f(words, n): return f"{n} rounds"',
    'def f(): return {"title": "What was measured"}',
    'def f(a): return " ".join(["not sound", a])',
    "def f(a): return f\"<p class='quiet'>All of it is valid: {a}</p>\"",
    'def f(a): click.echo(f"kept in {a}")',
    'def f(a): return "%d of them failed" % a',
]


@pytest.mark.parametrize("source", PLANTED)
def test_a_planted_english_sentence_is_found(source: str) -> None:
    assert list(english.in_code(source))


@pytest.mark.parametrize(
    "source",
    [
        'def f(a):\n    """Return what is said of it."""\n    raise UsageError(f"{a} is not one")',
        'def f(words): return words("page.title", what="x")',
        'def f(a): click.echo(f"{a} is late", err=True)',
        'KEYS = ("seq-read", "throughput")',
    ],
)
def test_what_is_no_sentence_is_passed_over(source: str) -> None:
    assert list(english.in_code(source)) == []


@pytest.mark.parametrize(
    "source",
    [
        'def f(notes, a): notes.append(f"{a} could not be measured")',
        'def f(): return Health(notes=("it needs root",))',
        'def f(r): return Finding(r, f"It was {r} too late.")',
        'def f(a) -> Iterator[Told]:\n    yield f"{a} is full"',
        'def f(notes, keys): notes += [f"{key} is not known" for key in keys]',
    ],
)
def test_a_planted_sentence_that_would_be_kept_as_text_is_found(source: str) -> None:
    assert list(english.told_as_text(source))


def test_words_planted_in_templates_are_found() -> None:
    page = '<h2 class="a b">{{ t("x") }}</h2><p>Not so</p><svg aria-label="A chart"></svg><style>p { top: 0 }</style>'
    assert list(english.in_template(page)) == ["chart", "Not"]
    assert list(english.in_script('say("No data here"); x = "table.sortable"; // a note "with words"')) == [
        "No data here"
    ]
