"""The templates of pages: rendered with everything escaped that is not ours, the fonts that ship put in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from iobench.report import fonts

FOLDER = Path(__file__).parent / "templates"
_FONTS = "/* fonts */"  # where they go in the style


def render(
    name: str,
    *,
    filters: Mapping[str, Callable[..., Any]] | None = None,
    signs: Iterable[str] = (),
    **fields: object,
) -> str:
    """Return a template filled in with fields, the fonts in it cut to its signs and those of the texts `signs`."""
    import jinja2

    # Everything on a page may come from others (names, models, commands): what is not escaped here is ours.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters or {})
    page = environment.get_template(name).render(**fields)
    return page.replace(_FONTS, fonts.faces("".join(sorted(set(page).union(*signs)))), 1)
