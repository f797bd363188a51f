"""Where lines of text are broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iobench.texts.lines import folded


@pytest.mark.parametrize(
    ("text", "width", "wanted"),
    [
        ("no difference shown between them", 14, ["no difference", "shown between", "them"]),
        ("invalid: background-io, too-short", 16, ["invalid:", "background-io,", "too-short"]),
        ("background-io", 12, ["background-", "io"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("差は「示されない」。", 3, ["差は", "「示さ", "れな", "い」。"]),
        ("このファイル", 3, ["この", "ファイ", "ル"]),
        ("", 5, [""]),
    ],
)
def test_lines_are_broken_where_their_language_lets_them(text: str, width: int, wanted: list[str]) -> None:
    assert folded(text, lambda part: len(part) <= width) == wanted


@given(st.text(alphabet="ab -/のー。「」(1", max_size=60), st.integers(1, 12))
def test_nothing_is_lost_but_blanks(text: str, width: int) -> None:
    lines = folded(text, lambda part: len(part) <= width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(len(line) <= width for line in lines)
