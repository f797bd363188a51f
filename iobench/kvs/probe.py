"""What a server can: asked before the load, each question on a connection of its own, since servers answer differently.

One answers `ERROR` to noreply and stores nothing, one knows no `stats`, `touch` or `flush_all`, one ends its error
lines with a bare newline. A question that gets no sensible answer within a second is answered with no.
"""

from __future__ import annotations

from collections.abc import Callable

from iobench.kvs import memcached_text as codec
from iobench.kvs.links import Endpoint, Failed
from iobench.kvs.result import Probe

_PATIENCE_S = 1.0
_KEYS = (b"iobench:probe:1", b"iobench:probe:2")
_VALUE = b"probe"


class _Talk:
    """A connection to ask on."""

    def __init__(self, endpoint: Endpoint, connect_s: float) -> None:
        self._sock = endpoint.connect(connect_s)
        self._sock.settimeout(_PATIENCE_S)
        self.buffer = bytearray()
        self.at = 0

    def __enter__(self) -> _Talk:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def send(self, request: bytes) -> None:
        """Send a request whole."""
        self._sock.sendall(request)

    def line(self) -> str:
        """Return the next line. Raises OSError when none comes, ProtocolError when it is none."""
        while (found := codec.read_line(self.buffer, self.at)) is None:
            self._more()
        self.at = found[1]
        return found[0]

    def reply(self, read: Callable[[bytearray, int], codec.Reply | None]) -> codec.Reply:
        """Return the next reply."""
        while (found := read(self.buffer, self.at)) is None:
            self._more()
        self.at = found.end
        return found

    def _more(self) -> None:
        data = self._sock.recv(4096)
        if not data:
            raise ConnectionResetError("it closed the connection")
        self.buffer += data


def probe(endpoint: Endpoint, connect_s: float, flush: bool) -> Probe:
    """Ask a server what it can. Raises Failed when it cannot be reached or does not speak the protocol."""
    notes: list[str] = []

    def ask(what: str, question: Callable[[_Talk], bool]) -> bool:
        try:
            with _Talk(endpoint, connect_s) as talk:
                return question(talk)
        except (OSError, codec.ProtocolError) as error:
            said = "no answer" if isinstance(error, TimeoutError) else str(error)
            notes.append(f"{what}: {said}")
            return False

    if not ask("set", _stores):
        raise Failed(
            f"{endpoint.name} does not speak the memcached text protocol: it would not store a key"
            + (f" ({notes[0]})" if notes else "")
        )
    version: list[str] = []
    line_end: list[str] = []
    ask("version", lambda talk: _version(talk, version))
    ask("an unknown command", lambda talk: _line_end(talk, line_end))
    found = {
        "noreply": ask("noreply", _noreply),
        "multi_get": ask("get of two keys", _multi_get),
        "gets": ask("gets", lambda talk: _says(talk, b"gets %b\r\n" % _KEYS[0], "VALUE")),
        "touch": ask("touch", lambda talk: _says(talk, b"touch %b 60\r\n" % _KEYS[0], "TOUCHED")),
        "stats": ask("stats", _stats),
    }
    ask("delete", lambda talk: all(_says(talk, b"delete %b\r\n" % key, "DELETED") for key in _KEYS))
    emptied = ask("flush_all", lambda talk: _says(talk, b"flush_all\r\n", "OK")) if flush else None
    return Probe(
        endpoint.name,
        version=version[0] if version else None,
        **found,
        flush_all=emptied,
        line_end=line_end[0] if line_end else None,
        notes=tuple(notes),
    )


def _stores(talk: _Talk) -> bool:
    for key in _KEYS:
        talk.send(codec.store(key, _VALUE, 60))
        if talk.reply(codec.read_set).error is not None:
            return False
    return True


def _version(talk: _Talk, found: list[str]) -> bool:
    talk.send(b"version\r\n")
    word, _, rest = talk.line().partition(" ")
    if word == "VERSION":
        found.append(rest)
    return word == "VERSION"


def _line_end(talk: _Talk, found: list[str]) -> bool:
    talk.send(b"iobench-asks\r\n")
    talk.line()
    found.append("\r\n" if talk.buffer[: talk.at].endswith(b"\r\n") else "\n")
    return True


def _noreply(talk: _Talk) -> bool:
    """Stored without a word: the very next thing that comes is the get's reply with the new value."""
    talk.send(codec.store(_KEYS[0], b"silent", 60, noreply=True) + codec.get(_KEYS[:1]))
    return talk.reply(codec.read_get).values == ((_KEYS[0], b"silent"),)


def _multi_get(talk: _Talk) -> bool:
    talk.send(codec.get(_KEYS))
    return {key for key, _ in talk.reply(codec.read_get).values} == set(_KEYS)


def _says(talk: _Talk, request: bytes, word: str) -> bool:
    talk.send(request)
    return talk.line().split(" ")[0] == word


def _stats(talk: _Talk) -> bool:
    talk.send(b"stats\r\n")
    seen = 0
    while (line := talk.line()).startswith("STAT "):
        seen += 1
    return seen > 0 and line == "END"
