"""The fonts that ship (Latin and Japanese, two weights), and cutting them to the signs that a document uses."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from pathlib import Path

FAMILY = "iobench Sans JP"
_FOLDER = Path(__file__).parent


def path(bold: bool = False) -> Path:
    """Return the file of a weight."""
    return _FOLDER / f"iobench-sans-jp-{'bold' if bold else 'regular'}.otf"


@lru_cache(maxsize=2)
def signs(bold: bool = False) -> frozenset[int]:
    """Return the code points that a weight has."""
    from fontTools.ttLib import TTFont

    with TTFont(path(bold), lazy=True) as font:
        return frozenset(font.getBestCmap())


def woff(text: str, bold: bool = False) -> bytes:
    """Return a weight cut to the signs of a text, as WOFF for a page: the same text gives the same bytes.

    Signs that the font does not have are left to the reader's own fonts.
    """
    from fontTools import subset
    from fontTools.ttLib import TTFont

    options = subset.Options()
    options.layout_features = ["kern"]
    options.flavor = "woff"
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes={0x20, *map(ord, text)})
    with TTFont(path(bold), lazy=True, recalcTimestamp=False) as font:
        cutter.subset(font)
        font.flavor = "woff"
        target = io.BytesIO()
        font.save(target)
    return target.getvalue()


def faces(text: str) -> str:
    """Return the style rules that put both weights, cut to the signs of a text, into a page."""
    rules = []
    for bold in (False, True):
        data = base64.b64encode(woff(text, bold)).decode("ascii")
        source = f'src: url(data:font/woff;base64,{data}) format("woff")'
        rules.append(f'@font-face {{ font-family: "{FAMILY}"; font-weight: {700 if bold else 400}; {source}; }}')
    return "\n".join(rules)
