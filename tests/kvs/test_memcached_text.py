"""The codec: what is foreseen is what real memcached says; nothing but ProtocolError comes of nonsense."""

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kvsservers import memcached

from iobench.kvs import memcached_text as codec

TWO = [(b"a", b"one"), (b"b", b"\r\nEND\r\n")]
REPLY = codec.found(TWO)


def _ask(endpoint: str, request: bytes, size: int) -> bytes:
    with socket.socket(socket.AF_UNIX) as talk:
        talk.connect(endpoint.removeprefix("unix:"))
        talk.settimeout(5)
        talk.sendall(request)
        got = b""
        while len(got) < size:
            got += talk.recv(4096)
        return got


def test_memcached_says_what_is_foreseen(tmp_path: Path) -> None:
    with memcached(tmp_path) as (endpoint, _):
        for key, value in TWO:
            assert _ask(endpoint, codec.store(key, value, 0), len(codec.STORED)) == codec.STORED
        assert _ask(endpoint, codec.get([b"a", b"b"]), len(REPLY)) == REPLY
        assert _ask(endpoint, codec.get([b"absent"]), len(codec.ABSENT)) == codec.ABSENT
        error = _ask(endpoint, b"nonsense\r\n", 7)
        reply = codec.read_get(error, 0)
        assert reply is not None and reply.error == "'ERROR'"


def test_a_reply_is_read_wherever_it_is_cut() -> None:
    for cut in range(len(REPLY)):
        assert codec.read_get(REPLY[:cut], 0) is None
    whole = codec.read_get(b"STORED\r\n" + REPLY, 8)
    assert whole is not None and whole.values == tuple(TWO) and whole.end == 8 + len(REPLY)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"HTTP/1.1 400\r\n", "HTTP"),
        (b"VALUE a 0 x\r\n", "VALUE a 0 x"),
        (b"VALUE a 0 99999999999\r\n", "99999999999 bytes"),
        (b"VALUE a 0 1\r\nabc\r\nEND\r\n", "does not end there"),
        (b"x" * 3000, "no line ends"),
    ],
)
def test_what_is_no_reply_to_a_get(reply: bytes, said: str) -> None:
    with pytest.raises(codec.ProtocolError, match=said):
        codec.read_get(reply, 0)


def test_a_set_is_confirmed_refused_or_neither() -> None:
    assert codec.read_set(b"STORED\r\n", 0) == codec.Reply(8)
    refused = codec.read_set(b"SERVER_ERROR object too large for cache\n", 0)
    assert refused is not None and refused.error == "'SERVER_ERROR object too large for cache'"
    assert codec.read_set(b"STOR", 0) is None
    with pytest.raises(codec.ProtocolError):
        codec.read_set(b"VALUE a 0 1\r\n", 0)


@given(st.data())
def test_mutated_replies_are_read_or_refused(data: st.DataObject) -> None:
    text = bytearray(REPLY)
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    for read in (codec.read_get, codec.read_set):
        try:
            reply = read(text, 0)
        except codec.ProtocolError:
            continue
        assert reply is None or 0 < reply.end <= len(text)
