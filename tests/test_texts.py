"""The texts: both languages have every key with the same fields, and what is said in Japanese is Japanese."""

import re
import string

import pytest

from iobench.errors import UsageError
from iobench.texts import LANGUAGES, TEXTS, Amount, Phrase, Words

# Names and units that Japanese writes in Latin letters too.
_NAMES = """
iobench dbench sysbench memcached MySQL MariaDB NFS OLTP KVS SAS SSD ioDrive dd fio IOPS CPU CV CSV PDF HTML PNG
WWN smartctl nbdkit nbdfuse root SATA
PPTX HDR RAM MB MiB GB GiB Gbit get set resume run report import explain compare repeats direct SLO SMART ID OS json
lab HTTP TCP Munin SNIA SHA hash PTS Mbit JSON JUnit Nagios PCIe RAID extstore Okuyama tmpfs overlay libaio
smartctl status losetup NUMA root
"""
LATIN = frozenset(_NAMES.split())


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_language_has_the_same_keys_in_the_same_order() -> None:
    for lang in LANGUAGES:
        assert list(TEXTS[lang]) == list(TEXTS["en"]), lang


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_text_has_the_fields_of_the_english_one(lang: str) -> None:
    for key, text in TEXTS[lang].items():
        assert fields(text) == fields(TEXTS["en"][key]), key
        assert text.strip() == text or key.startswith("list."), key


def leftovers(text: str) -> list[str]:
    """English words in a Japanese text: those that are no names, and none of a command line in backquotes."""
    plain = re.sub(r"\{[^}]*\}|`[^`]*`|--[a-z-]+(?: (?:write|random|cached|cold))?|[A-Za-z]+_[A-Za-z_]+", " ", text)
    return [word for word in re.findall(r"[A-Za-z]{3,}", plain) if word not in LATIN]


def test_no_english_is_left_in_japanese() -> None:
    for key, text in TEXTS["ja"].items():
        assert not leftovers(text), key
        english = re.sub(r"\{[^}]*\}", "", TEXTS["en"][key])
        if re.search(r"[a-z]{4,}", english) and not all(w in LATIN for w in re.findall(r"[A-Za-z]+", english)):
            assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", text), f"{key}: {text!r} has no Japanese sign"


def test_english_that_is_left_is_found() -> None:
    assert leftovers("速度は high です") == ["high"]


def test_a_phrase_is_said_in_each_language() -> None:
    phrase = Phrase(
        "why.with",
        {
            "sentence": Phrase("say.figure", {"what": "x", "a": ("sas", "ssd"), "value": Amount(5e8, "B/s")}),
            "why": Phrase("why.repeats", {"n": 5}),
        },
    )
    assert Words("en").say(phrase) == "x: sas and ssd 500 MB/s (5 repeats)"
    assert Words("ja").say(phrase) == "x：sas と ssd 500 MB/s（5 回測定）"


def test_a_phrase_survives_json() -> None:
    phrase = Phrase("why.with", {"sentence": Phrase("say.nothing", {"what": 2.5}), "why": ("a", Amount(0.5, "%"))})
    assert Phrase.of_json(phrase.as_json()) == phrase


@pytest.mark.parametrize(
    "kept", [None, "x", {}, {"key": "no.such", "figures": {}}, {"key": "say.nothing", "figures": 3}]
)
def test_what_is_no_phrase_is_none(kept: object) -> None:
    assert Phrase.of_json(kept) is None


def test_a_missing_figure_is_left_open() -> None:
    assert Words("en").say(Phrase("why.repeats")) == "? repeats"


def test_an_unknown_language_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="ja"):
        Words("jp")


def test_no_blank_stands_between_a_wide_bracket_and_japanese() -> None:
    for lang, said in (("ja", "sas（エミュレーション）の"), ("en", "sas（エミュレーション） の")):
        words = Words(lang)
        words._table = {"x": "{a} の"}
        assert words("x", a="sas（エミュレーション）") == said
