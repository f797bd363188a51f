"""The look of a deck, set once: 16:9, one layout, fonts for Latin and East Asian text, the house's colours."""

from __future__ import annotations

from typing import Any

from iobench.report.canvas import INK, MUTED, PAPER
from iobench.report.spec import COLORS

# Points: 13.333 x 7.5 inches.
WIDTH, HEIGHT = 960.0, 540.0
MARGIN = 42.0
TITLE_TOP, TITLE_HEIGHT = 18.0, 70.0
LATIN, EAST_ASIAN = "Arial", "Yu Gothic"  # on every machine with PowerPoint; others put their own in their place
_LAYOUT = "Title Only"
_MAIN = "http://schemas.openxmlformats.org/drawingml/2006/main"
_EXTENDED = "http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def new() -> Any:
    """Return an empty presentation in the house's look (python-pptx leaves it untyped)."""
    from pptx import Presentation
    from pptx.util import Pt

    deck: Any = Presentation()
    deck.slide_width, deck.slide_height = Pt(WIDTH), Pt(HEIGHT)
    _forget(deck)
    master = deck.slide_master
    _keep_one_layout(master)
    for place in (master, master.slide_layouts[0]):
        _placeholders(place)
    _title_style(master)
    paint(master)
    return deck


def _forget(deck: Any) -> None:
    """Take off what the template says of itself: that it is 4:3, its printer, its picture."""
    from pptx.opc.constants import RELATIONSHIP_TYPE

    deck.part._element.sldSz.attrib.pop("type", None)
    leftovers = (RELATIONSHIP_TYPE.PRINTER_SETTINGS, RELATIONSHIP_TYPE.THUMBNAIL)
    for holder in (deck.part, deck.part.package):
        for rid in [rid for rid, rel in holder._rels.items() if rel.reltype in leftovers]:
            holder.drop_rel(rid)


def finish(deck: Any) -> None:
    """Name the notes' master where PowerPoint looks for it, paint it, and say what made the file."""
    from lxml import etree
    from pptx.opc.constants import RELATIONSHIP_TYPE

    if deck.slides and deck.slides[0].has_notes_slide:
        paint(deck.notes_master)
        rid = deck.part.relate_to(deck.notes_master.part, RELATIONSHIP_TYPE.NOTES_MASTER)
        own = f"{{{deck.part._element.nsmap['p']}}}"
        holder = etree.Element(f"{own}notesMasterIdLst")
        etree.SubElement(holder, f"{own}notesMasterId").set(_RELATION, rid)
        deck.part._element.find(f"{own}sldMasterIdLst").addnext(holder)
    told = {"Application": "iobench", "PresentationFormat": "Widescreen", "Slides": str(len(deck.slides))}
    properties = etree.Element(f"{{{_EXTENDED}}}Properties", nsmap={None: _EXTENDED})
    for name, text in told.items():
        etree.SubElement(properties, f"{{{_EXTENDED}}}{name}").text = text
    part = deck.part.package.part_related_by(RELATIONSHIP_TYPE.EXTENDED_PROPERTIES)
    part._blob = etree.tostring(properties, xml_declaration=True, encoding="UTF-8", standalone=True)


def paint(master: Any) -> None:
    """Give a master (of slides or of notes) our fonts and colours, in its theme."""
    from lxml import etree
    from pptx.opc.constants import RELATIONSHIP_TYPE

    part = master.part.part_related_by(RELATIONSHIP_TYPE.THEME)
    own = getattr(part, "_element", None)  # the notes' theme is parsed already, that of the slides is not
    root = etree.fromstring(part.blob) if own is None else own
    for kind in ("majorFont", "minorFont"):
        font = next(root.iter(f"{{{_MAIN}}}{kind}"))
        for tag, name in (("latin", LATIN), ("ea", EAST_ASIAN)):
            font.find(f"{{{_MAIN}}}{tag}").set("typeface", name)
        for script in font.findall(f"{{{_MAIN}}}font"):
            if script.get("script") == "Jpan":
                script.set("typeface", EAST_ASIAN)
    scheme = next(root.iter(f"{{{_MAIN}}}clrScheme"))
    accents = {f"accent{i}": color for i, color in enumerate(COLORS[:6], 1)}
    for tag, color in {"dk1": INK, "lt1": PAPER, "dk2": MUTED, "lt2": "#f2f2f2", **accents}.items():
        slot = scheme.find(f"{{{_MAIN}}}{tag}")
        for old in list(slot):
            slot.remove(old)
        etree.SubElement(slot, f"{{{_MAIN}}}srgbClr").set("val", color.lstrip("#").upper())
    if own is None:
        part._blob = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)


def _keep_one_layout(master: Any) -> None:
    for layout in list(master.slide_layouts):
        if layout.name != _LAYOUT:
            master.slide_layouts.remove(layout)


def _placeholders(place: Any) -> None:
    """Keep the title alone, where a wide slide has it: what else a slide says is its own."""
    from pptx.enum.shapes import PP_PLACEHOLDER
    from pptx.util import Pt

    for shape in list(place.placeholders):
        if shape.placeholder_format.type in (PP_PLACEHOLDER.TITLE, PP_PLACEHOLDER.CENTER_TITLE):
            shape.left, shape.top = Pt(MARGIN), Pt(TITLE_TOP)
            shape.width, shape.height = Pt(WIDTH - 2 * MARGIN), Pt(TITLE_HEIGHT)
        else:
            shape._element.getparent().remove(shape._element)


def _title_style(master: Any) -> None:
    """Titles stand to the left, bold, at the bottom of their box, with no inset."""
    title = master.placeholders[0]
    body = title._element.txBody.bodyPr
    for side in ("lIns", "tIns", "rIns", "bIns"):
        body.set(side, "0")
    body.set("anchor", "b")
    for child in list(body):
        body.remove(child)
    style = master._element.find(".//{*}titleStyle/{*}lvl1pPr")
    style.set("algn", "l")
    run = style.find("{*}defRPr")
    run.set("sz", "2800")
    run.set("b", "1")
