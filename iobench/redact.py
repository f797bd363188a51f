"""What a customer's eyes must not see: host names, serials, WWNs, addresses and user paths, off everywhere.

A campaign is looked at through `Redacted`, a folder that answers like the real one with every text changed: so
each format of a report, and an export, is redacted by the same rules. A name gets the same stand-in throughout.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from iobench.model import Campaign, canonical
from iobench.results import TABLES, CampaignFolder, as_bytes, from_json, in_order, schema, to_json
from iobench.texts import Phrase

if TYPE_CHECKING:
    import pyarrow as pa

# Shorter ones would be found inside ordinary words; where they are a field of their own they go all the same.
_LEAST, _LEAST_NAME = 4, 3
COMMON = frozenset(
    {
        *("localhost", "host", "server", "none", "unknown", "unknown (imported)", "debian", "ubuntu"),
        *("root", "admin", "user", "mysql", "mariadb", "memcached", "sbtest", "iobench", "test", "data", "database"),
        *("read", "write", "fio", "oltp", "kvs", "nfs", "sas", "ssd", "raid", "nvme", "sata", "disk", "drive"),
    }
)
# Hosts that are none.
_NOBODY = frozenset({"localhost", "host", "none", "unknown", "unknown (imported)"})
# Fields whose values are names of our own, not texts.
_KEPT = frozenset({"kind", "runner", "workload", "layout", "number", "created_at", "id"})
_TEXT_COLUMNS = ("host", "target", "step", "tool", "device_name")

_MAC = r"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:])"
_UUID = r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Fa-f])"
# Both look at a run of signs once, and never from its middle: an output may have one of megabytes.
# A port or a path may stand behind an address: `10.0.0.1:3306`, `10.0.0.1:/export`, `fe80::1: refused`.
_ADDRESS = r"(?:(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}|(?<![\w:.])(?=[0-9A-Fa-f]*+:)[0-9A-Fa-f:]++)(?!\w|\.\d)"
_MAIL = r"(?<![\w.+-])[\w.+-]++@[\w-]+(?:\.[\w-]+)+"
_PART = r"[^/\s\"'\\:;,=<>|()\[\]{}?*&]"
_HOME = rf"(?<![\w.~…])/(?:(?:home|Users)/{_PART}++|root(?![\w.-]))(?P<rest>(?:/{_PART}++)*+)"
# What a system brings is the same everywhere; the path of anything else may tell who put it there.
_OWN = "(?:usr|bin|sbin|lib|lib64|proc|sys|dev|etc)/"
_PATH = rf"(?<![\w.~…/-])/(?!{_OWN})(?P<rest>(?:{_PART}++/)++{_PART}*+)"
_TOLD = re.compile(r"python[\d.]*|[\w-]+\.(?:json|jsonl|log|txt|toml|load|py|csv|parquet|sock|err|cnf|lua)", re.ASCII)
_VOLUME = rf"(/dev/(?:mapper|disk/by-(?:label|partlabel))/)(?!(?:control|volume)\b){_PART}++"
# A handover profile says from which machine it was learnt: another one than that of the campaign.
_LEARNT = r"(\blearnt from )(?!host\b)[^\s,\"'\\]++"
# sysbench's settings, those of a mount of another machine's files, those of layers.
_SETTING = re.compile(
    r"(mysql-(?:host|user|db|password)|\b(?:user(?:name)?|domain|(?:upper|lower|work)dir))="
    r"""(?:(\\*["'])(?!\2)[^\n]{0,300}?\2|(?!\d+\b)[^\s,"'\\)]++)"""
)
_JSON_FIELDS = re.compile(
    r'("(?:serial|serial_number|wwn|hostname|host_name|uuid)"\s*:\s*")((?:[^"\\]|\\.)*)(")', re.IGNORECASE
)


class Redactor:
    """Replaces what tells who and where, in texts; made from the campaigns whose names it is to know."""

    def __init__(self, folders: Sequence[CampaignFolder]) -> None:
        self._names: dict[str, str] = {}
        self._short: dict[str, str] = {}
        for folder in folders:
            self._learn(folder, folder.campaign())
        known = sorted(self._names, key=lambda name: (-len(name), name))
        parts = [rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])" for name in known]
        # A host of two letters would be found in any word; behind an @ it is one.
        parts += [rf"(?<=@){re.escape(name)}(?![\w-])" for name in self._short]
        self._known = re.compile("|".join(parts), re.IGNORECASE) if parts else None
        self._folded = {name.casefold(): stand_in for name, stand_in in (*self._short.items(), *self._names.items())}
        self._remembered = lru_cache(maxsize=65_536)(self._replaced)

    def _learn(self, folder: CampaignFolder, campaign: Campaign) -> None:
        self._add("results", str(folder.path.parent))
        host = str(campaign.host.get("name") or "")
        self._add("host", host, host.partition(".")[0])
        domain = host.partition(".")[2]
        self._add("domain", domain if "." in domain else "")
        for passport in campaign.passports.values():
            if passport.target.kind == "server":
                self._learn_server(passport.target.path)
            why = passport.no_device_reason
            source = why.figures.get("source") if isinstance(why, Phrase) else None
            server, _, exported = str(source or "").partition(":/")  # of a network file system
            self._add("server", server)
            self._add("path", f"/{exported}" if exported else "")
            self._add("path", passport.target.path if len(passport.target.path) > 1 else "")
            self._add("mount", passport.mount_point or "")
            if passport.device is not None:
                self._add("serial", passport.device.serial or "")
                self._add("wwn", passport.device.wwn or "", (passport.device.wwn or "").removeprefix("0x"))

    def _learn_server(self, url: str) -> None:
        """Learn who is asked where, of an address SCHEME://[USER@]HOST[:PORT][,HOST…][/NAME]."""
        try:
            parts = urlsplit(url)
            users, _, places = parts.netloc.rpartition("@")
            for place in places.split(","):
                self._add("server", urlsplit(f"//{place}").hostname or "")
        except ValueError:  # no address after all: its field goes whole
            return
        self._add("user", users)
        self._add("database", parts.path.strip("/"))

    def _add(self, what: str, *names: str) -> None:
        """Learn the names of one thing: they get one stand-in."""
        least = _LEAST if what in ("serial", "wwn", "results", "path", "mount") else _LEAST_NAME
        if what in ("host", "server"):
            self._short |= {n: "host" for n in names if 0 < len(n) < least}
        names = tuple(n for n in names if len(n) >= least and n.casefold() not in COMMON and n not in self._names)
        count = len({s for s in self._names.values() if s.startswith(f"{what}-")}) + 1
        self._names |= dict.fromkeys(names, f"{what}-{count}")

    def text(self, text: str) -> str:
        """Return a text with every name in it replaced."""
        # Names come a thousand times, a program's output once: that is not worth the memory.
        return self._remembered(text) if len(text) < 1000 else self._replaced(text)

    def _replaced(self, text: str) -> str:
        text = re.sub(_MAIL, "address", text)  # first: whose domain is known would be half of one
        if self._known is not None:
            text = self._known.sub(lambda match: self._folded[match[0].casefold()], text)
        text = _JSON_FIELDS.sub(lambda match: f"{match[1]}{_field(match[1], match[2])}{match[3]}", text)
        text = re.sub(_HOME, lambda match: "~" + _last(match["rest"]), text)
        text = re.sub(_PATH, lambda match: "…" + _last(match["rest"]), text)
        text = re.sub(_VOLUME, r"\1volume", text)
        text = _SETTING.sub(lambda match: f"{match[1]}={match[2] or ''}hidden{match[2] or ''}", text)
        text = re.sub(_UUID, "uuid", text)
        text = re.sub(_MAC, "address", text)
        text = re.sub(_LEARNT, r"\1host", text)
        return re.sub(_ADDRESS, _address, text)

    def content(self, content: bytes) -> bytes:
        """Return a file's content with every name in it replaced."""
        text = content.decode("utf-8", errors="surrogateescape")
        return self.text(text).encode("utf-8", errors="surrogateescape")

    def value(self, value: Any, key: str = "") -> Any:
        """Return a value of JSON with each text in it replaced; what is a field by its name goes whole."""
        if isinstance(value, dict):
            kept = ("key",) if "figures" in value else ()  # a sentence as data: its figures may be names
            return {name: item if name in kept else self.value(item, str(name)) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item, key) for item in value]
        if not isinstance(value, str) or not value or key in _KEPT:
            return value
        if key in ("serial", "wwn") and value not in self._names:
            return key
        return self.text(value)

    def campaign(self, campaign: Campaign) -> Campaign:
        """Return a campaign without what tells who and where."""
        told = to_json(campaign)
        plain: dict[str, Any] = self.value(told)
        plain["passports"] = {self.text(name): self.value(entry) for name, entry in told["passports"].items()}
        plain["steps"] = [{**s, "id": self.text(s["id"]), "target": self.text(s["target"])} for s in told["steps"]]
        if plain["host"].get("name"):
            plain["host"]["name"] = self._host(str(campaign.host["name"]))
        return from_json(plain)

    def _host(self, name: str) -> str:
        return name if name.casefold() in _NOBODY else self._names.get(name, "host")

    def table(self, table: pa.Table) -> pa.Table:
        """Return a stored table with its texts replaced."""
        import pyarrow as pa

        for name in (*_TEXT_COLUMNS, "params"):
            if name in table.schema.names:
                at = table.schema.get_field_index(name)
                write = self._params if name == "params" else self._host if name == "host" else self.text
                column = [None if value is None else write(value) for value in table.column(name).to_pylist()]
                table = table.set_column(at, table.schema.field(at), pa.array(column, table.schema.field(at).type))
        return table

    def _params(self, text: str) -> str:
        try:
            params = json.loads(text)
        except (ValueError, RecursionError):
            return self.text(text)
        return canonical(self.value(params)) if isinstance(params, dict) else self.text(text)


def _last(path: str) -> str:
    """What may be told of a path: the name of a program, or of a file of a known kind."""
    name = path.rpartition("/")[2]
    return f"/{name}" if _TOLD.fullmatch(name) else ""


def _field(start: str, value: str) -> str:
    name = start.split('"')[1].lower()
    known = re.fullmatch(r"(?:host|serial|wwn|path|mount|results)-\d+", value) is not None
    return value if known or not value else name.replace("_number", "").replace("_", "")


def _address(match: re.Match[str]) -> str:
    """An address is one only if it can be one: `12:30:15` and version numbers of three parts are none."""
    bare = match[0].removesuffix(":")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return match[0]
    return match[0] if address.is_loopback or address.is_unspecified else "address" + match[0][len(bare) :]


class Redacted(CampaignFolder):
    """A campaign's folder as a customer may see it. It is read, never written."""

    def __init__(self, folder: CampaignFolder, redactor: Redactor) -> None:
        super().__init__(folder.path)
        self._redactor = redactor
        self._real = folder
        self._steps = {redactor.text(name): name for name in folder.finished()}

    def campaign(self) -> Campaign:
        """Return the plan without what tells who and where."""
        return self._redactor.campaign(self._real.campaign())

    def finished(self) -> set[str]:
        """Return the ids of the steps that are whole on disk."""
        return set(self._steps)

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return a table, or some of its columns. Raises ResultsError."""
        return self._redactor.table(self._real.read(table, columns))

    def findings(self, step: str) -> list[dict[str, Any]]:
        """Return a step's reasons with their sentences."""
        found: list[dict[str, Any]] = self._redactor.value(self._real.findings(self._steps.get(step, step)))
        return found

    def command(self, step: str) -> Mapping[str, Any]:
        """Return what was run in a step."""
        told: Mapping[str, Any] = self._redactor.value(self._real.command(self._steps.get(step, step)))
        return told


def redacted(folders: Sequence[CampaignFolder]) -> list[CampaignFolder]:
    """Return campaigns as a customer may see them; one name has one stand-in in all of them."""
    redactor = Redactor(folders)
    return [Redacted(folder, redactor) for folder in folders]


def contents(folder: CampaignFolder) -> Iterator[tuple[str, bytes]]:
    """Yield what makes up a campaign, redacted: path and content, in the order of the hash; then what stands beside.

    Nothing is written: whatever is killed meanwhile leaves nothing. Raises ResultsError for what cannot be read.
    """
    redactor = Redactor([folder])
    view = Redacted(folder, redactor)
    raw = {
        "/".join(redactor.text(part) for part in path.relative_to(folder.path).parts): path
        for path in folder.contents()
        if path.relative_to(folder.path).parts[0] == "raw"
    }
    tables = {f"{table}/{step}.parquet": (table, step) for table in TABLES for step in view.finished()}
    table = ""
    rows: dict[str, pa.Table] = {}
    for name in sorted(["campaign.json", *tables, *raw], key=in_order):
        if name in raw:
            yield name, redactor.content(folder.content(raw[name]))
        elif name in tables:
            wanted, step = tables[name]
            if wanted != table:  # one after the other: they may be large
                table, rows = wanted, _by_step(view.read(wanted))
            yield name, as_bytes(rows.get(step, schema(table).empty_table()))
        else:
            yield name, json.dumps(to_json(view.campaign()), ensure_ascii=False, indent=1).encode()
    for path in folder.beside():
        yield redactor.text(path.name), redactor.content(folder.content(path))


def _by_step(table: pa.Table) -> dict[str, pa.Table]:
    places: dict[str, list[int]] = {}
    for place, step in enumerate(table.column("step").to_pylist()):
        places.setdefault(step, []).append(place)
    return {step: table.take(at) for step, at in places.items()}
