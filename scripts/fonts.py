#!/usr/bin/env python3
"""Cut the fonts that ship in iobench/report/fonts from Noto Sans CJK JP (Debian: fonts-noto-cjk).

    .venv/bin/python scripts/fonts.py [FOLDER-OF-THE-TTC-FILES]

Kept: Latin, JIS X 0208 and the CP932 extensions, in two weights, without hinting and without layout features but
kerning. The multiplication sign and its kin are full-width in the original; here they are as narrow as they are drawn,
so that "3.4x" looks right in both languages. The result has a name of its own, as the licence (OFL 1.1) asks of a
font that was changed, and is the same bytes for the same original.
"""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.pens.boundsPen import BoundsPen
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTCollection, TTFont

SOURCE = Path("/usr/share/fonts/opentype/noto")
OUT = Path(__file__).resolve().parent.parent / "iobench" / "report" / "fonts"
FAMILY = "iobench Sans JP"
NARROW = "×÷±→←↑↓≥≤≠≈"
SMALL = {"×": 0.74}  # drawn for a full square, it would tower over the figures it stands behind
SIDE = 60  # what stays free at each side of a narrowed sign, in thousandths of the size


def signs() -> set[int]:
    """Every sign of CP932 (JIS X 0208, NEC and IBM extensions), Latin-1, and what our own texts use beside them."""
    kept = {*range(0x20, 0x7F), *range(0xA0, 0x100)}
    for lead in (*range(0x81, 0xA0), *range(0xE0, 0xFD)):
        for trail in range(0x40, 0xFD):
            try:
                text = bytes((lead, trail)).decode("cp932")
            except UnicodeDecodeError:
                continue
            kept.update(c for c in map(ord, text) if not 0xE000 <= c < 0xF900)
    for single in range(0xA1, 0xE0):
        kept.add(ord(bytes((single,)).decode("cp932")))
    return kept | set(map(ord, "–—―…‘’“”•·×÷≥≤≈−→←↑↓〜～‖−¥€µ✓"))


def cut(weight: str, source: Path) -> Path:
    """Write one weight; return its file."""
    collection = TTCollection(str(source / f"NotoSansCJK-{weight}.ttc"), lazy=True)
    index = next(i for i, f in enumerate(collection.fonts) if f["name"].getDebugName(1).startswith("Noto Sans CJK JP"))
    font = TTFont(str(source / f"NotoSansCJK-{weight}.ttc"), fontNumber=index, recalcTimestamp=False)
    options = subset.Options()
    options.layout_features = ["kern"]
    options.hinting = False
    options.notdef_outline = True
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.name_languages = [0x409]
    options.drop_tables += ["vhea", "vmtx", "VORG", "BASE", "DSIG"]
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=signs())
    cutter.subset(font)
    narrow(font)
    name(font, weight)
    target = OUT / f"iobench-sans-jp-{weight.lower()}.otf"
    font.save(target)
    return target


def narrow(font: TTFont) -> None:
    """Take the empty sides off signs that are drawn on a full square."""
    glyphs, cmap, widths = font.getGlyphSet(), font.getBestCmap(), font["hmtx"]
    top = font["CFF "].cff.topDictIndex[0]
    for sign in NARROW:
        glyph, scale = cmap[ord(sign)], SMALL.get(sign, 1.0)
        bounds = BoundsPen(glyphs)
        glyphs[glyph].draw(bounds)
        left, low, right, high = bounds.bounds
        width = round((right - left) * scale + 2 * SIDE)
        lift = (low + high) / 2 * (1 - scale) - (20 if scale < 1 else 0)
        old = top.CharStrings[glyph]
        # A charstring says its width against the nominal one of its dictionary, and not at all if it is the usual.
        said = None if width == old.private.defaultWidthX else width - old.private.nominalWidthX
        pen = T2CharStringPen(said, None)
        glyphs[glyph].draw(TransformPen(pen, (scale, 0, 0, scale, SIDE - left * scale, lift)))
        old.program, old.bytecode = pen.getCharString(old.private, old.globalSubrs).program, None
        widths[glyph] = (width, SIDE)


def name(font: TTFont, weight: str) -> None:
    """Give the font our name, in each table that has one."""
    whole, plain = f"{FAMILY} {weight}", f"iobenchSansJP-{weight}"
    for record in font["name"].names:
        new = {1: FAMILY, 2: weight, 3: f"iobench;{plain}", 4: whole, 6: plain}.get(record.nameID)
        if new:
            record.string = new
    cff = font["CFF "].cff
    cff.fontNames[0] = plain
    top = cff.topDictIndex[0]
    top.FamilyName, top.FullName = FAMILY, whole


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE
    for weight in ("Regular", "Bold"):
        made = cut(weight, folder)
        print(made.relative_to(Path.cwd()) if made.is_relative_to(Path.cwd()) else made, made.stat().st_size)
