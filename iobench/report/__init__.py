"""The report: findings to charts to HTML, PDF, PNG, PPTX and CSV."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iobench.errors import ResultsError, UsageError, near_miss
from iobench.redact import redacted
from iobench.results import CampaignFolder

if TYPE_CHECKING:
    from iobench.report.charts import Chart
    from iobench.report.content import Content

FORMATS = ("html", "png", "pptx", "pdf", "csv")
PAGE_NAME = "report.html"
DECK_NAME = "report.pptx"
PDF_NAME = "report.pdf"
_CLAIMS = "talk-2011"


@dataclass(frozen=True, slots=True)
class Several:
    """How campaigns are set side by side: pooled or not, in spite of what differs or not, and their names."""

    pool: bool = False
    anyway: bool = False
    called: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """How a report is made.

    `resolution` is the share under which a difference is none; `redact` leaves out who and where; `published`
    names a file of figures of others, to stand beside as such; `drives` are pairs of a drive and the profile that
    says how it is shown, and its price.
    """

    formats: Sequence[str] = ("html", "png")
    lang: str = "en"
    baseline: str | None = None
    resolution: float = 0.02
    several: Several = Several()
    redact: bool = False
    published: str | None = None
    drives: Sequence[tuple[str, str]] = ()


def build(
    folders: Sequence[CampaignFolder],
    out: Path,
    options: Options = Options(),
    say: Callable[[str], None] = lambda sentence: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Write the report of campaigns into a folder; return the files, the page (where asked for) last.

    `say` gets what a person should know of the pictures, and `progress` how many charts and files are done, of how
    many. Raises UsageError for an unknown format, language or baseline, ResultsError for a folder that cannot be
    written or a campaign that cannot be read, and CannotRunError for a PDF where Pango is missing.
    """
    from iobench.analysis import claims
    from iobench.analysis.compare import compare
    from iobench.report import look
    from iobench.report import published as others
    from iobench.report.content import Content
    from iobench.texts import Words

    formats = options.formats
    if unknown := next((name for name in formats if name not in FORMATS), None):
        raise UsageError(f"unknown format {unknown!r}; {near_miss(unknown, FORMATS)}")
    words = Words(options.lang)
    figures = others.load(options.published) if options.published else ()
    if options.redact:
        folders = redacted(folders)
    comparison = compare(
        folders,
        options.baseline,
        options.resolution,
        rules=claims.load(_CLAIMS),
        pool=options.several.pool,
        anyway=options.several.anyway,
        called=options.several.called,
    )
    comparison = look.dressed(comparison, options.drives)
    beside = others.of_workloads(figures, [row.workload for row in comparison.rows])
    content = Content(folders, comparison, words, beside, options.redact)
    _prepare(out)
    pictures = (len(content.charts) + len(content.curves)) * (
        ("png" in formats) + ("html" in formats or "pdf" in formats)
    )
    total = pictures + ("pptx" in formats) + ("pdf" in formats)
    done = itertools.count(1)
    return list(_written(content, out, formats, say, lambda: progress(next(done), total)))


def _written(
    content: Content, out: Path, formats: Sequence[str], say: Callable[[str], None], step: Callable[[], None]
) -> Iterator[Path]:
    from iobench.report import curves, draw, html, pdf, slides, tables

    for number, chart in enumerate(content.charts, 1):
        name = f"{number:02d}-{chart.spec.id}"
        if "png" in formats:
            yield _write(out / f"{name}.png", draw.png(chart.spec))
            step()
        if "csv" in formats:
            # With a byte order mark spreadsheets read names of any script.
            yield _write(out / f"{name}.csv", tables.chart_csv(content.comparison, chart).encode("utf-8-sig"))
    for number, (results, spec) in enumerate(content.curves, len(content.charts) + 1):
        name = f"{number:02d}-{spec.id}"
        if "png" in formats:
            yield _write(out / f"{name}.png", draw.png(spec))
            step()
        if "csv" in formats:
            yield _write(out / f"{name}.csv", curves.points_csv(results).encode("utf-8-sig"))
    if "png" in formats:
        _say_what_lacks(content.charts, say)
    if "pptx" in formats:
        yield _write(out / DECK_NAME, slides.deck(content))
        step()
    if "html" in formats or "pdf" in formats:
        page = html.page(content, step)
        if "pdf" in formats:
            yield _write(out / PDF_NAME, pdf.pdf(page))
            step()
        if "html" in formats:
            yield _write(out / PAGE_NAME, page.encode())


def _say_what_lacks(made: Sequence[Chart], say: Callable[[str], None]) -> None:
    from iobench.report.canvas import without_glyphs

    labels = "".join(series.label for chart in made for series in chart.spec.series)
    if signs := without_glyphs(labels):
        say(
            f"no font on this machine has the signs {signs[:20]!r}: the PNG pictures show boxes there; install a font "
            "that has them (fonts-noto-cjk for Japanese) and make the report again. The HTML page is not concerned"
        )


def _prepare(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(out, error) from error


def _write(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all: a page that is open in a browser is never half of one."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def _unwritable(path: Path, error: OSError) -> ResultsError:
    return ResultsError(
        f"the report cannot be written to {path}: {error.strerror or error}; choose another folder with -o, or make "
        "room there"
    )
