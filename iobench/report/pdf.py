"""The PDF: the page itself, set on paper by WeasyPrint. Nothing is fetched."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from iobench.errors import CannotRunError
from iobench.report.evidence import on_paper

# What WeasyPrint loads, by the names that the system's loader knows.
LIBRARIES = ("libpango-1.0.so.0", "libpangoft2-1.0.so.0", "libharfbuzz-subset.so.0")
PACKAGES = "libpangoft2-1.0-0 libharfbuzz-subset0"


def missing() -> str | None:
    """Return what a PDF lacks on this machine, without loading it all; None where nothing."""
    import ctypes
    import importlib.util

    if importlib.util.find_spec("weasyprint") is None:
        return "the Python library weasyprint"
    for name in LIBRARIES:
        try:
            ctypes.CDLL(name)
        except OSError:
            return name
    return None


def pdf(page: str) -> bytes:
    """Return a page (the HTML) as a PDF, with what its steps open to; the same page gives the same bytes.

    Raises CannotRunError where WeasyPrint or the Pango that it needs is not there.
    """
    try:
        import weasyprint
        from weasyprint.urls import URLFetcher
    except (ImportError, OSError) as error:  # OSError: it loads Pango by its name
        raise CannotRunError(
            f"a PDF needs WeasyPrint and Pango, and here is no {missing() or str(error).splitlines()[0][:120]}: "
            f"install {PACKAGES}, or print the HTML page from a browser"
        ) from error
    # It tells of each property that paper does not know; a browser's styles have many.
    logging.getLogger("weasyprint").setLevel(logging.CRITICAL)
    only_data = URLFetcher(allowed_protocols=("data",))  # its fonts stand in the page itself
    with _timeless():
        done: bytes = weasyprint.HTML(string=on_paper(page), url_fetcher=only_data).write_pdf()
    return done


@contextmanager
def _timeless() -> Iterator[None]:
    """Let no font be stamped with the time, by the variable that reproducible builds use."""
    name = "SOURCE_DATE_EPOCH"
    before = os.environ.get(name)
    os.environ[name] = before or "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
