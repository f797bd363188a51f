"""Widths of signs, so that a page's texts are placed the same on every machine, with no font at hand.

The widths are those of the font that ships and that pages carry (fonts/), in thousandths of its size. Signs that it
does not have are taken as wide as a reader's other font may have them.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

# fmt: off
_REGULAR = (
    224, 323, 474, 555, 555, 921, 680, 278, 338, 338, 467, 555, 278, 347, 278, 392, 555, 555, 555, 555, 555,
    555, 555, 555, 555, 555, 278, 278, 555, 555, 555, 474, 946, 608, 657, 638, 688, 589, 552, 689, 728, 293,
    535, 646, 543, 812, 723, 742, 633, 742, 635, 596, 599, 721, 575, 878, 573, 531, 603, 338, 392, 338, 555,
    559, 606, 563, 618, 510, 620, 554, 325, 564, 607, 275, 275, 552, 284, 926, 610, 606, 620, 620, 388, 468,
    377, 607, 521, 802, 498, 521, 475, 338, 270, 338, 555, 224, 323, 555, 555, 555, 555, 270, 1000, 606, 832,
    386, 479, 555, 347, 473, 606, 370, 850, 411, 411, 606, 628, 1000, 561, 606, 411, 407, 479, 873, 903, 889,
    474, 608, 608, 608, 608, 608, 608, 918, 638, 589, 589, 589, 589, 293, 293, 293, 293, 712, 723, 742, 742,
    742, 742, 742, 597, 742, 721, 721, 721, 721, 531, 652, 643, 563, 563, 563, 563, 563, 563, 877, 510, 554,
    554, 554, 554, 275, 275, 275, 275, 608, 610, 606, 606, 606, 606, 606, 846, 606, 607, 607, 607, 607, 521,
    620, 521, 536, 894, 278, 278, 474, 474, 340, 1000,
)
_BOLD = (
    227, 370, 574, 590, 590, 963, 740, 325, 378, 378, 507, 590, 325, 370, 325, 387, 590, 590, 590, 590, 590,
    590, 590, 590, 590, 590, 325, 325, 590, 590, 590, 514, 1007, 641, 681, 656, 714, 615, 585, 717, 757, 330,
    568, 686, 578, 853, 749, 770, 667, 770, 682, 624, 625, 748, 619, 915, 627, 580, 613, 378, 387, 378, 590,
    567, 626, 591, 644, 527, 644, 581, 372, 597, 640, 304, 306, 604, 315, 964, 641, 626, 644, 644, 436, 495,
    421, 637, 576, 863, 562, 574, 511, 378, 296, 378, 590, 227, 370, 590, 590, 590, 590, 296, 1000, 626, 849,
    403, 529, 590, 370, 513, 626, 404, 838, 424, 424, 626, 664, 1000, 592, 626, 424, 420, 529, 909, 948, 921,
    514, 641, 641, 641, 641, 641, 641, 951, 656, 615, 615, 615, 615, 330, 330, 330, 330, 742, 749, 770, 770,
    770, 770, 770, 607, 770, 748, 748, 748, 748, 580, 690, 700, 591, 591, 591, 591, 591, 591, 891, 527, 581,
    581, 581, 581, 304, 304, 304, 304, 630, 641, 626, 626, 626, 626, 626, 830, 626, 637, 637, 637, 637, 574,
    644, 574, 544, 908, 325, 325, 574, 574, 378, 1000,
)
# fmt: on
_SIGNS = "".join(map(chr, (*range(0x20, 0x7F), *range(0xA0, 0x100)))) + "–—‘’“”•…"
_TABLES = (dict(zip(_SIGNS, _REGULAR, strict=True)), dict(zip(_SIGNS, _BOLD, strict=True)))
_OTHER = (640, 700)  # Greek, Cyrillic and the like


@lru_cache(maxsize=8192)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Return the width of a line of text, in the unit of `size`."""
    return sum(_width(sign, bold) for sign in text) * size / 1000


def _width(sign: str, bold: bool) -> int:
    if (known := _TABLES[bold].get(sign)) is not None:
        return known
    if unicodedata.combining(sign) or unicodedata.category(sign) == "Cf":
        return 0
    match unicodedata.east_asian_width(sign):
        case "W" | "F" | "A":
            return 1000
        case "H":
            return 500
        case _:
            return _OTHER[bold]
