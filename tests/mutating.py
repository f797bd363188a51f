"""Real outputs of every program that is parsed, and ways to spoil them; benchmarks/mutations.py uses it too.

A parser may answer with rows or with one of the errors that it names; any other exception, a hang, or memory far beyond
the input is a mistake.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FIXTURES = Path(__file__).parent / "fixtures"
PROFILES = Path(__file__).parent.parent / "profiles"

_WORDS = (
    *("0", "-1", "1e400", "nan", "inf", "-0", "18446744073709551616", "9" * 400, "0x10", "1_000", "٣", "²"),
    *(
        "null",
        "true",
        "[]",
        "{}",
        '""',
        '"x"',
        "[[[[",
        "}}}}",
        "\\u0000",
        "\x00",
        "\ud800",
        "\u202e",
        "𝟘",
        ",",
        ":",
        "=",
        "%",
    ),
    *("\r\n", "\n\n", "\t", "'", '"', "#", "\x1b[31m", "<script>", "END", "ERROR", "VALUE", "{", "}", "[", "]"),
)


@dataclass(frozen=True)
class Parser:
    """A parser with the real outputs that it reads, and the errors it may raise."""

    name: str
    parse: Callable[[str], object]
    outputs: Sequence[str]
    errors: tuple[type[Exception], ...]


def spoilt(text: str, seed: int) -> str:
    """Return a text with one to six mutations; the same seed gives the same text."""
    rng = random.Random(seed)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        text = rng.choice(_MUTATIONS)(text, rng)
    return text


def _cut(text: str, rng: random.Random) -> str:
    return text[: rng.randrange(len(text) + 1)]


def _begin_late(text: str, rng: random.Random) -> str:
    return text[rng.randrange(len(text) + 1) :]


def _dropped(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + text[at + rng.choice((1, 1, 2, 5, 40, 400)) :]


def _inserted(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(_WORDS) + text[at:]


def _number(text: str, rng: random.Random) -> str:
    """Replace the number, or the word, that stands somewhere."""
    if not text:
        return text
    at = rng.randrange(len(text))
    start = end = at
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] in ".-_"):
        start -= 1
    while end < len(text) and (text[end].isalnum() or text[end] in ".-_"):
        end += 1
    return text[:start] + rng.choice(_WORDS) + text[end:]


def _line(text: str, rng: random.Random) -> str:
    """Drop a line, double it, or put it elsewhere."""
    lines = text.splitlines(keepends=True)
    if not lines:
        return text
    at = rng.randrange(len(lines))
    line = lines.pop(at)
    match rng.randrange(3):
        case 0:
            pass
        case 1:
            lines[at:at] = [line, line]
        case _:
            lines.insert(rng.randrange(len(lines) + 1), line)
    return "".join(lines)


def _member(text: str, rng: random.Random) -> str:
    """Of JSON: replace or drop a member somewhere, so that the text stays JSON."""
    try:
        document = json.loads(text[text.index("{") :])
    except (ValueError, RecursionError):
        return _number(text, rng)
    node = document
    for _ in range(rng.randrange(1, 8)):
        inner = node[rng.choice(list(node))] if isinstance(node, dict) and node else None
        inner = rng.choice(node) if isinstance(node, list) and node else inner
        if not isinstance(inner, dict | list) or not inner:
            break
        node = inner
    if isinstance(node, dict) and node:
        key = rng.choice(list(node))
        if rng.random() < 0.3:
            del node[key]
        else:
            node[key] = rng.choice((None, True, -1, 0, 1e300, 10**30, "", "x", [], {}, [[]], [None], {"": 0}, "12 %"))
    elif isinstance(node, list) and node:
        node[rng.randrange(len(node))] = rng.choice((None, -1, "x", [], {}))
    return json.dumps(document)


_MUTATIONS = (_cut, _begin_late, _dropped, _inserted, _inserted, _number, _number, _number, _line, _member, _member)


def _texts(pattern: str, most: int = 40_000) -> list[str]:
    found = sorted(FIXTURES.glob(pattern))
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in found]
    assert texts, f"no fixture matches {pattern}"
    return [text for text in texts if len(text) <= most] or [min(texts, key=len)]


@cache
def parsers() -> tuple[Parser, ...]:
    """Return every parser of what another program or person wrote."""
    from iobench.analysis import order, pages, sizing, slo
    from iobench.campaign import importing
    from iobench.drives import counters, guards, mounts
    from iobench.errors import ParseError, UsageError
    from iobench.kvs import config, result
    from iobench.kvs import memcached_text as codec
    from iobench.tools import dbench, dd, findmnt, fio, fio_status, lsblk, smartctl, sysbench

    said = (ParseError,)
    return (
        Parser("fio JSON", fio.parse, _texts("fio-*/*.json"), said),
        Parser("fio log", fio.parse_log, _texts("fio-*/*.log"), said),
        Parser("dd", dd.parse, _texts("dd-*/*.txt"), said),
        Parser("sysbench JSON", lambda text: sysbench.parse(text, 1), _texts("sysbench-*/*-json.txt"), said),
        Parser("sysbench text", sysbench.parse_text, _texts("sysbench-*/*-text.txt"), said),
        Parser("lsblk", lsblk.parse_lsblk, _texts("lsblk-*/*.json"), said),
        Parser("findmnt", findmnt.parse_findmnt, _texts("findmnt-*/*.json"), said),
        Parser("blkid", guards.parse_blkid, _texts("blkid-*/*.txt"), said),
        Parser("/proc/mountinfo", lambda text: mounts.parse_mountinfo(text.encode(errors="replace")), _mounts(), said),
        Parser("/sys stat", lambda text: counters.parse_stat(text.encode(errors="replace"), 0.0), _STATS, said),
        Parser("an output of unknown kind", _imported, _any_output(), said),
        Parser(
            "what is imported, by name", importing.parse_source, ["sas=/var/tmp/fio.json", "fio.json"], (UsageError,)
        ),
        Parser("dbench", dbench.parse, _texts("dbench-*/*.txt"), said),
        Parser("smartctl", smartctl.parse, _texts("smartctl-*/*.json"), said),
        Parser("fio-status text", fio_status.parse_text, _texts("fio-status*/*.txt"), said),
        Parser("fio-status JSON", fio_status.parse_json, _texts("fio-status*/*.json"), said),
        Parser("reply to a get", lambda text: codec.read_get(_bytes(text), 0), _REPLIES, (codec.ProtocolError,)),
        Parser("reply to a set", lambda text: codec.read_set(_bytes(text), 0), _REPLIES, (codec.ProtocolError,)),
        Parser("the generator's result", result.from_json, _texts("kvs-*/*.json"), said),
        Parser("the generator's configuration", config.from_json, _CONFIGS, (UsageError,)),
        Parser("suite", _suite, _profiles("suites"), (UsageError,)),
        Parser("handover profile", lambda text: order.parse("spoilt", text), _profiles("handover"), (UsageError,)),
        Parser("drive profile", _drive, _profiles("drives"), (UsageError,)),
        Parser("claims", _claims, _profiles("claims"), (UsageError,)),
        Parser("SLO", lambda text: slo.parse(text, ("rand-read", "oltp", "kvs")), _SLOS, (UsageError,)),
        Parser("need", sizing.parse_need, ("20000 gets/s, 800 transactions/s, 300 GB",), (UsageError,)),
        Parser("page", lambda text: pages.parse(text, ("oltp", "kvs")), ("oltp=3 kvs=20",), (UsageError,)),
    )


_REPLIES = (
    "VALUE key:0000000000000007 0 12\r\nabcdefghijkl\r\nVALUE key:0000000000000008 0 2\r\nxy\r\nEND\r\n",
    "END\r\n",
    "STORED\r\n",
    "SERVER_ERROR out of memory storing object\r\n",
    "ERROR\n",
)
_CONFIGS = (
    '{"endpoints": ["127.0.0.1:11211", "unix:/run/memcached.sock"], "connections": 50, "rate": 20000, '
    '"arrival": "poisson", "duration_s": 6.0, "ramp_s": 1, "seed": 7, "pipeline": 1}',
)
_SLOS = ("rand-read p99<1ms", "oltp p95<100ms", "kvs p99 < 5 ms")
_STATS = ("  12345   678  9012345  4567  89012  345  6789012  34567  0  89012  123456  0  0  0  0  0  0\n",)


def _mounts() -> list[str]:
    return [Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")]


def _any_output() -> list[str]:
    return [_texts(pattern, 20_000)[0] for pattern in ("fio-*/*.json", "dd-*/*.txt", "sysbench-*/*-text.txt")]


def _profiles(kind: str) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(PROFILES.glob(f"{kind}/*.toml"))]


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")


def _suite(text: str) -> object:
    from iobench.campaign import plan

    with _file(text, ".toml") as name:
        return plan.load_suite(name)


def _drive(text: str) -> object:
    from iobench.lab import profile

    with _file(text, ".toml") as name:
        return profile.read_profile(name)


def _claims(text: str) -> object:
    from iobench.analysis import claims

    with _file(text, ".toml") as name:
        return claims.load(name)


def _imported(text: str) -> object:
    from iobench.campaign import importing

    with _file(text, ".out") as name:
        return importing.read(importing.Source(Path(name), "drive"), "dd-write")


@contextmanager
def _file(text: str, suffix: str) -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", suffix=suffix, encoding="utf-8", errors="replace") as file:
        file.write(text)
        file.flush()
        yield file.name
