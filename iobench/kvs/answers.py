"""What a reply says that is not the foreseen one: read, judged key by key, counted."""

from __future__ import annotations

from typing import Any

from iobench.kvs import memcached_text as codec
from iobench.kvs.items import Items
from iobench.kvs.links import Connection, clock
from iobench.kvs.records import Records
from iobench.kvs.units import Request


class Answers:
    """Judges replies. `acknowledged` holds, for each key, when a set of it was first confirmed (0: never)."""

    def __init__(self, items: Items, records: Records, acknowledged: Any) -> None:
        self.items, self.records, self.acknowledged = items, records, acknowledged
        self.first_error: str | None = None
        self.first_error_at: int | None = None

    def reset(self) -> None:
        """The window begins."""
        self.first_error = self.first_error_at = None

    def say(self, text: str) -> None:
        """Keep what went wrong, if it is the first."""
        if self.first_error is None:
            self.first_error, self.first_error_at = text, clock()

    def error(self, text: str, count: int = 1) -> None:
        """Count requests that failed."""
        self.records.wrong.errors += count
        self.say(text)

    def read(self, c: Connection) -> list[tuple[Request, codec.Reply]] | None:
        """Return the replies in a connection's buffer with their requests; None while they are incomplete.

        Raises ProtocolError.
        """
        answers, at = [], 0
        for request in c.lane.units.requests(c.unit[6]):
            if request.noreply:
                continue
            reply = (codec.read_get if request.get else codec.read_set)(c.buffer, at)
            if reply is None:
                return None
            at = reply.end
            answers.append((request, reply))
        if at != len(c.buffer):
            raise codec.ProtocolError(f"more was answered than asked: {codec.show(bytes(c.buffer[at:]))}")
        return answers

    def judge(self, name: str, request: Request, reply: codec.Reply, response: int, service: int, sent: int) -> bool:
        """Count what a reply brought; True where the request was answered as asked (a miss is an answer)."""
        records, items = self.records, self.items
        wrong = records.wrong
        if reply.error is not None:
            self.error(f"{name} answered {reply.error}")
            return False
        if not request.get:
            wrong.odd_sets += 1
            records.odd_set.response.append(response)
            records.odd_set.service.append(service)
            for key in request.keys:
                self.confirm(key)
            return True
        found = dict(reply.values)
        hits = good = 0
        for key in request.keys:
            value = found.pop(items.key(key), None)
            if value is None:
                wrong.misses += 1
                since = self.acknowledged[key]
                # One that was confirmed while this get was under way may rightly not have been there yet.
                if since and since < sent:
                    wrong.lost += 1
                    self.acknowledged[key] = 0  # a key is lost once
            elif value == items.value(key):
                hits += 1
            else:
                wrong.corrupt += 1
                self.say(f"{name} returned another value of {items.key(key).decode()}: {codec.show(value)}")
            good += value is not None
        if found:
            wrong.corrupt += len(found)
            self.say(f"{name} returned a key that was not asked: {codec.show(next(iter(found)))}")
        wrong.odd_gets += 1
        wrong.hits += hits
        record = records.odd_get if hits == len(request.keys) else records.miss
        record.response.append(response)
        record.service.append(service)
        return True

    def confirm(self, key: int) -> None:
        """A set of this key was confirmed."""
        if not self.acknowledged[key]:
            self.acknowledged[key] = clock()
