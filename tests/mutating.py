"""Real outputs of every program that is parsed, and ways to spoil them; benchmarks/mutations.py uses it too.

A parser may answer with rows or with one of the errors that it names; any other exception, a hang, or memory far beyond
the input is a mistake.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iobench.results import CampaignFolder

FIXTURES = Path(__file__).parent / "fixtures"
PROFILES = Path(__file__).parent.parent / "profiles"
MEMORY, FLOOR = 10, 1 << 20  # times the input, beyond what loading modules costs

# fmt: off
_WORDS = (
    "0", "-1", "1e400", "nan", "inf", "-0", "18446744073709551616", "9" * 400, "9" * 5000, "0x10", "1_000", "٣", "²",
    "null", "true", "[]", "{}", '""', '"x"', "[[[[", "}}}}", "[" * 3000, '{"":' * 3000, "\\u0000", "\x00", "\ud800",
    "\u202e", "𝟘", ",", ":", "=", "%", "\r\n", "\n\n", "\t", "'", '"', "#", "\x1b[31m", "<script>", "END", "ERROR",
    "VALUE", "{", "}", "[", "]", "STAT", "x" * 3000,
)
# fmt: on


@dataclass(frozen=True)
class Parser:
    """A parser with the real outputs that it reads, and the errors it may raise."""

    name: str
    parse: Callable[[str], object]
    outputs: Sequence[str]
    errors: tuple[type[Exception], ...]
    share: float = 1.0  # of the examples that CI gives it: less for one that takes its time


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
    from iobench import results, units
    from iobench.analysis import order, pages, sizing, slo
    from iobench.campaign import importing
    from iobench.cli import doctor
    from iobench.drives import counters, guards, mounts, passport
    from iobench.errors import CannotRunError, ParseError, ResultsError, ToolError, UsageError
    from iobench.kvs import config, dataset, result
    from iobench.kvs import memcached_text as codec
    from iobench.runners import kvs
    from iobench.servers import memcached_existing, mysql_existing
    from iobench.tools import dbench, dd, findmnt, fio, fio_status, ganesha, lsblk, smartctl, sysbench

    said = (ParseError,)
    kept = (ResultsError,)
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
        Parser("prices", _prices, _PRICES, (UsageError,)),
        Parser("reply to stats", _counted, _STATS_REPLIES, (ToolError,)),
        Parser("/proc/stat", lambda text: counters.parse_cpu(_bytes(text), 100), _CPU, said),
        Parser("/proc/net/tcp", ganesha.listening, _ports(), ()),
        Parser("a program's version", doctor.parse_version, _VERSIONS, ()),
        Parser("what became of an outage", lambda text: kvs._Outage.of({"outage.json": text}), _outages(), said),
        Parser(
            "target",
            lambda text: passport.parse_target(os.fsdecode(_bytes(text))),
            ("sas=/mnt/sas", "db=mysql://bench@10.0.0.5/bench"),
            (UsageError,),
        ),
        Parser("size", units.parse_size, ("4G", "1.5Gi", "512M", "4096"), (UsageError,)),
        Parser("time", units.parse_duration, ("10s", "500ms", "1.5h"), (UsageError,)),
        Parser("sizes of values", dataset.parse_values, ("4Ki", "100:9,4Ki:1"), (UsageError,)),
        Parser(
            "key-value stores",
            memcached_existing.endpoints,
            ("memcached://127.0.0.1:11211,[::1]:11212",),
            (UsageError,),
        ),
        Parser("database", mysql_existing.address, ("mysql://bench@10.0.0.5:3306/bench",), (UsageError,)),
        Parser("MySQL option file", _option_file, ("[client]\nuser=bench\npassword='x y'\n",), (CannotRunError,)),
        Parser("campaign.json", _campaign, _campaigns(), kept),
        Parser("journal", _journal, _journals(), ()),
        Parser("latency histogram", results.decode_bins, (_histogram(),), kept),
        Parser("what drives said", _known, _looked_at(), kept),
        Parser("state of an emulated drive", _record, _records(), said),
        Parser("archive", _archive, (_archived(),), (ParseError, UsageError), share=0.1),
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


_PRICES = (
    'currency = "USD"\nperiod = "month"\neach = 120\nsource = "list"\n[drives]\nsas = 10.5\n[[space]]\n'
    'up_to = "1G"\nprice = 0\n[[space]]\nup_to = "100G"\nper_gb = 2.5\n[[space]]\nprice = 900\n',
)
_STATS_REPLIES = ("STAT pid 12\r\nSTAT curr_items 5000\r\nSTAT evictions 0\r\nSTAT version 1.6.18\r\nEND\r\n",)
_CPU = ("cpu  10132153 290696 3084719 46828483 16683 0 25195 0 175628 0\n",)
_VERSIONS = ("fio-3.33\n", "dbench version 4.00 - Copyright Andrew Tridgell 1999-2004\n", "mariadbd  Ver 10.11.6\n")


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


def _ports() -> list[str]:
    return [Path("/proc/net/tcp").read_text(encoding="ascii")]


def _outages() -> list[str]:
    from iobench.servers.outage import Outage

    return [Outage("kill", 2.0, 1.0, began_at=1.79e9, restored_at=1.79e9 + 1, restore_exit=0).text()]


def _journals() -> list[str]:
    from iobench.campaign import journal

    with tempfile.TemporaryDirectory() as folder:
        journal.write(Path(folder), "started", step="0001-r1-rand-read-1-one")
        journal.write(Path(folder), "failed", step="0001-r1-rand-read-1-one", error="boom", exit_code=4)
        journal.write(Path(folder), "ended")
        return [(Path(folder) / journal.NAME).read_text(encoding="utf-8")]


def _looked_at() -> list[str]:
    return [
        json.dumps(
            {
                "one": {
                    "facts": {"serial": "S1", "size": 1000},
                    "unknown": {"model": "a", "": {"key": "drive.note.untold", "figures": {}}},
                }
            }
        )
    ]


def _records() -> list[str]:
    from iobench.drives import emulated
    from iobench.model import Emulation

    with tempfile.TemporaryDirectory() as folder:
        emulation = Emulation("sas", read_bps=1.5e8, latency_s=0.005, notes=("a note",))
        paths = (folder, f"{folder}/image", f"{folder}/image/drive.img", f"{folder}/image/served")
        record = emulated.Record("sas", "a1", *paths, 10**9, "SAS", "hdd", emulation, device="/dev/loop0")
        emulated.save_record(record)
        return [record.state_file.read_text(encoding="utf-8")]


def _prices(text: str) -> object:
    from iobench import profiles
    from iobench.analysis import sizing

    with _file(text, ".toml") as name:
        return sizing.parse_prices(profiles.load(Path(name)), "prices")


def _option_file(text: str) -> object:
    from iobench.servers import secrets

    with _file(text, ".cnf") as name:
        return secrets.from_file(Path(name))


@contextmanager
def _folder(name: str, text: str) -> Iterator[CampaignFolder]:
    """A campaign's folder that holds this one file."""
    from iobench.results import CampaignFolder

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
        (Path(folder) / name).write_text(text, encoding="utf-8", errors="replace")
        yield CampaignFolder(Path(folder))


def _campaigns() -> list[str]:
    import stored

    with tempfile.TemporaryDirectory() as folder:
        measured = [stored.Measured(name, {"throughput": [1e8, 1.1e8]}) for name in ("sas", "ssd")]
        made = stored.make_campaign(Path(folder), *measured, serials={"sas": "S1"})
        return [(made.path / "campaign.json").read_text(encoding="utf-8")]


def _campaign(text: str) -> object:
    with _folder("campaign.json", text) as folder:
        return folder.campaign()


def _journal(text: str) -> object:
    from iobench.campaign import failed, journal

    with _folder(journal.NAME, text) as folder:
        return journal.status(folder.path, 1, 2), failed.failures(folder), failed.failure_code(folder)


def _known(text: str) -> object:
    from iobench.campaign import validation

    with _folder(validation.BEFORE, text) as folder:
        return validation.known(folder, validation.BEFORE)


def _record(text: str) -> object:
    from iobench.drives import emulated

    with _file(text, ".json") as name:
        return emulated.read_record(Path(name))


def _histogram() -> str:
    from iobench.results import encode_bins

    return encode_bins({1000 * n: n for n in range(1, 200)})


def _archived() -> str:
    """An exported campaign, unpacked to what is inside of the compression, a sign a byte."""
    import gzip

    import stored

    from iobench.campaign import archive

    with tempfile.TemporaryDirectory() as folder:
        made = stored.make_campaign(Path(folder), stored.Measured("sas", {"throughput": [1e8]}))
        archive.export(made, Path(folder) / "a.tar.gz")
        return gzip.decompress((Path(folder) / "a.tar.gz").read_bytes()).decode("latin-1")


def _archive(text: str) -> object:
    import gzip

    from iobench.campaign import archive
    from iobench.results import Store

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tar.gz"
        path.write_bytes(gzip.compress(text.encode("latin-1", errors="replace"), 1))
        return archive.take_in(path, Store(Path(folder) / "results"))


def _counted(text: str) -> object:
    """A server that answers `stats` with this, and goes."""
    import socket
    import threading

    from iobench.servers import filling

    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/sock")
        server.listen()

        def answer() -> None:
            end, _ = server.accept()
            with end:
                end.recv(100)
                end.sendall(_bytes(text))

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            return filling.ask_stats(f"unix:{folder}/sock")
        finally:
            thread.join()
