"""The inside of each step's evidence on a page: written out here, packed together, unpacked by a reader who opens it.

A step's evidence is two thousand characters, and a deck has many hundreds of steps that say nearly the same: packed
they are a tenth. The page's lines, which carry each number with its verdict, are plain.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence

from iobench.report.steps import Step
from iobench.texts import Words


def inside(step: Step, words: Words) -> str:
    """Return what stands under a step's line, as HTML. Every text in it is escaped here."""
    from markupsafe import escape

    parts = [f'<p class="{one.verdict}">{escape(one.sentence)}</p>' for one in step.said]
    parts.append(f'<p class="quiet">{escape(words("col.step"))} {escape(step.id)}</p>')
    if step.command:
        parts.append(f"<pre>{escape(step.command)}</pre>")
    else:
        parts.append(f'<p class="quiet">{escape(words("step.no-command"))}</p>')
    facts = (f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in step.facts)
    parts.append(f'<dl class="facts">{"".join(facts)}</dl>')
    parts += (
        f'<p class="spark"><svg viewBox="0 0 240 34" aria-hidden="true"><path d="{spark.path}"/></svg> '
        f"{escape(spark.text)}</p>"
        for spark in step.sparks
    )
    return "".join(parts)


def pack(insides: Sequence[str]) -> str:
    """Return texts as one: a JSON list, in gzip without a time, in base64."""
    told = json.dumps(list(insides), ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(told, 9, mtime=0)).decode()


def unpack(packed: str) -> list[str]:
    """Return the texts that `pack` packed, as the page's own script does."""
    insides: list[str] = json.loads(gzip.decompress(base64.b64decode(packed)))
    return insides
