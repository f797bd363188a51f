"""What a page opens to: written out here, packed together, unpacked by a reader who opens it, or by a PDF.

A step's evidence is two thousand characters, and a deck has many hundreds of steps that say nearly the same: packed
they are a tenth. So are the pictures for narrow windows, and the figures that stand under no chart. The page's lines,
which carry each number with its verdict, are plain.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Sequence

from iobench.report.steps import Step
from iobench.texts import Words

_BYTES = ("step.tool-bytes", "step.device-bytes")  # what paper has too, where nothing opens
_BYTES_HEAD = '<div class="bytes">'
_PACKED = re.compile(r'id="packed">([^<]*)<')
_STEP = re.compile(r'(<details data-i="(\d+)"><summary class="step">.*?</summary>)</details>')
_ON_PAPER = re.compile(rf'<p class="(?:suspect|invalid)">.*?</p>|{_BYTES_HEAD}.*?</div>')
_FACT = re.compile(rf"{_BYTES_HEAD}<dt>(.*?)</dt><dd>(.*?)</dd></div>")


class Packed:
    """What a page opens to, by its numbers: the steps first, in their order. As text it is what the page holds."""

    def __init__(self, parts: list[str]) -> None:
        self.parts = parts

    def add(self, part: str) -> int:
        """Add HTML in which every text is escaped; return its number."""
        self.parts.append(part)
        return len(self.parts) - 1

    def __str__(self) -> str:
        return pack(self.parts)


def coded(text: str) -> str:
    """Return a text as HTML, escaped; what stands in it between backquotes is code."""
    from markupsafe import escape

    return re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))


def inside(step: Step, words: Words) -> str:
    """Return what stands under a step's line, as HTML. Every text in it is escaped here."""
    from markupsafe import escape

    parts = [f'<p class="{one.verdict}">{coded(one.sentence)}</p>' for one in step.said]
    parts.append(f'<p class="quiet">{escape(words("col.step"))} {escape(step.id)}</p>')
    if step.command:
        parts.append(f"<pre>{escape(step.command)}</pre>")
    else:
        parts.append(f'<p class="quiet">{escape(words("step.no-command"))}</p>')
    counted = [words(key) for key in _BYTES]
    facts = (
        f"{_BYTES_HEAD if name in counted else '<div>'}<dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>"
        for name, text in step.facts
    )
    parts.append(f'<dl class="facts">{"".join(facts)}</dl>')
    parts += (
        f'<p class="spark"><svg viewBox="0 0 240 34" aria-hidden="true"><path d="{spark.path}"/></svg> '
        f"{escape(spark.text)}</p>"
        for spark in step.sparks
    )
    return "".join(parts)


def on_paper(page: str) -> str:
    """Return a page with what paper can hold of each step's evidence under its line: why it is not valid, the bytes.

    Its command stands with those of its load, under how to repeat it.
    """
    packed = _PACKED.search(page)
    if packed is None:
        return page
    insides = unpack(packed[1])

    def opened(step: re.Match[str]) -> str:
        said = "".join(_ON_PAPER.findall(insides[int(step[2])]))
        counted = _FACT.sub(r"<span>\1 \2</span>", said)
        return f'{step[1]}<div class="told">{counted}</div></details>'

    return _STEP.sub(opened, page)


def pack(insides: Sequence[str]) -> str:
    """Return texts as one: a JSON list, in gzip without a time, in base64."""
    told = json.dumps(list(insides), ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(told, 9, mtime=0)).decode()


def unpack(packed: str) -> list[str]:
    """Return the texts that `pack` packed, as the page's own script does."""
    insides: list[str] = json.loads(gzip.decompress(base64.b64decode(packed)))
    return insides
