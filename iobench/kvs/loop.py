"""The load loop of one process: connections, a closed and an open loop over one epoll, and what to do in trouble.

The two loops are written out for speed: per reply one read, one clock, one comparison of bytes. Whatever is not the
foreseen reply leaves them for `_odd`. Times are nanoseconds of the monotonic clock, which all processes share.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from pathlib import Path

from iobench.kvs import memcached_text as codec
from iobench.kvs.answers import Answers
from iobench.kvs.links import IDLE, SECOND, Connection, Failed, Lane, clock
from iobench.kvs.records import Records
from iobench.kvs.units import LONGEST_READ

# Requests sent before replies are looked at, and replies read before the schedule is. What is due goes first: where
# more was read in a turn (8) than sent (4), free connections stood in line after each pause.
_SEND_AT_ONCE = 16
_READ_AT_ONCE = 8
# epoll's clock has milliseconds: it is trusted to wake us this much before a request is due; then we spin.
_SPIN_NS = 1_300_000
_RETRY_NS = 10_000_000


class Loop:
    """The load of one process, on its lanes. Without `give_up_s` a server that has gone is waited for to the end."""

    def __init__(
        self,
        lanes: list[Lane],
        records: Records,
        answers: Answers,
        *,
        reply_s: float,
        give_up_s: float | None,
        tick_s: float,
    ) -> None:
        self.lanes, self.records, self.answers = lanes, records, answers
        self._reply_ns = round(reply_s * SECOND)
        self._give_up_ns = None if give_up_s is None else round(give_up_s * SECOND)
        self._tick_ns = round(tick_s * SECOND)
        # Looked after this often: often enough for a time-out, and so that ticks of the series fall on it.
        self._look_ns = self._tick_ns // -(-self._tick_ns // (SECOND // 10))
        self._next_look = self._next_tick = self._origin = 0
        self._end: int | None = None
        self._poll = select.epoll()
        self._by_fd: list[Connection | None] = []  # by file descriptor
        self.series: list[tuple[float, dict[str, int]]] = []
        self.spun_ns = 0
        self._last_good = self._gap_from = self._gap_to = 0
        self.closed = True
        self._sending = True  # in the closed loop; False: what is under way is waited for
        self._ending = False  # the loop ends when nothing is left to do

    # --- connections -----------------------------------------------------------------------------------

    def connect(self, lane: Lane, count: int, timeout_s: float) -> None:
        """Make a lane's connections. Raises Failed."""
        for _ in range(count):
            connection = Connection(lane)
            lane.connections.append(connection)
            self._made(connection, lane.endpoint.connect(timeout_s))

    def _made(self, c: Connection, made: socket.socket) -> None:
        c.take(made)
        self._know(c, select.EPOLLIN)
        self._up(c)

    def _know(self, c: Connection, events: int) -> None:
        known = self._by_fd
        known.extend([None] * (c.fd + 1 - len(known)))
        known[c.fd] = c
        self._poll.register(c.fd, events)

    def _up(self, c: Connection) -> None:
        c.lane.alive += 1
        c.lane.down_since = None
        c.freed = clock()
        c.lane.free.append(c)

    def close(self) -> None:
        """Close all connections."""
        for c in self._by_fd:
            if c is not None and c.sock is not None:
                c.sock.close()
        self._by_fd.clear()
        self._poll.close()

    def _drop(self, c: Connection, why: str, *, for_good: bool = False) -> None:
        """A connection is lost: what it waited for has failed."""
        if c.unit is not IDLE:
            self.answers.error(why, len(c.lane.units.requests(c.unit[6])))
        was_up = c.sock is not None and not c.making
        self._forget(c)
        if was_up:
            self._was_up(c)
        c.ended = for_good
        if for_good and all(other.ended for lane in self.lanes for other in lane.connections):
            raise Failed(f"no connection is left: {why}")

    def _forget(self, c: Connection) -> None:
        if c.sock is not None:
            self._by_fd[c.fd] = None
            c.sock.close()  # epoll forgets it with this
        c.sock, c.fd, c.making, c.unit, c.left = None, -1, False, IDLE, b""
        c.retry = clock() + _RETRY_NS
        if c in c.lane.free:
            c.lane.free.remove(c)

    def _was_up(self, c: Connection) -> None:
        lane = c.lane
        lane.alive -= 1
        if not lane.alive:
            lane.down_since = clock()

    def _reconnect(self, c: Connection, now: int) -> None:
        endpoint = c.lane.endpoint
        made = socket.socket(endpoint.family, socket.SOCK_STREAM)
        made.setblocking(False)
        result = made.connect_ex(endpoint.address)
        if result == 0:
            self.records.wrong.reconnects += 1
            self._made(c, endpoint.ready(made))
        elif result == errno.EINPROGRESS:
            c.take(made, making=True)
            self._know(c, select.EPOLLOUT)
        else:
            made.close()
            c.retry = now + _RETRY_NS

    def _write_on(self, c: Connection) -> None:
        """Nothing can be read: send what is left of a request, or look whether a connection has been made."""
        if c.making and c.sock is not None:
            if not c.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self.records.wrong.reconnects += 1
                c.take(c.lane.endpoint.ready(c.sock))
                self._poll.modify(c.fd, select.EPOLLIN)
                self._up(c)
            else:
                self._forget(c)
        elif c.left:
            try:
                sent = os.write(c.fd, c.left)
            except OSError as error:
                sent = max(0, self._unsent(c, error))
            c.left = c.left[sent:]
            if c.sock is not None and not c.left:
                self._poll.modify(c.fd, select.EPOLLIN)

    def _trouble(self, c: Connection, error: OSError) -> None:
        """A connection is broken, or could not be made."""
        self._drop(c, f"{c.lane.endpoint.name} broke a connection: {error.strerror or type(error).__name__}")

    def _partly(self, c: Connection, request: bytes, sent: int) -> None:
        """A request did not fit into the socket's buffer: the rest is sent when there is room."""
        c.left = request[sent:]
        self._poll.modify(c.fd, select.EPOLLIN | select.EPOLLOUT)

    def _unsent(self, c: Connection, error: OSError) -> int:
        """Sending failed: return -1 where the connection is lost, else how much was sent (nothing)."""
        if isinstance(error, BlockingIOError):
            return 0
        self._drop(c, f"{c.lane.endpoint.name} broke a connection: {error.strerror}")
        return -1

    # --- the loops -------------------------------------------------------------------------------------

    def run_closed(self, until: int) -> None:
        """Keep every connection busy until then: the next request is sent as soon as a reply has been read."""
        poll, by_fd, late_ms = self._poll.poll, self._by_fd, self._look_ns / 1e9
        # A file's read and write take 0.2 µs less of Python than a socket's.
        read, write, last = os.read, os.write, self._last_good
        sending = self._sending
        while True:
            for lane in self.lanes:
                while lane.free and sending and not lane.exhausted:
                    self._next_closed(lane, lane.free.popleft())
            events = poll(late_ms, 256)
            seen = clock()
            before = last
            for fd, _ in events:
                c = by_fd[fd]
                if c is None:
                    continue
                unit = c.unit
                try:
                    data = read(fd, unit[3])
                except BlockingIOError:
                    self._write_on(c)
                    continue
                except OSError as error:
                    self._trouble(c, error)
                    continue
                now = clock()
                if data == unit[2]:
                    start = c.start
                    unit[4](now - start)
                    unit[5](seen - start)
                    last = now
                elif self._odd(c, data, now, seen - c.start):
                    last = now
                elif c.unit is not IDLE or c.sock is None:
                    continue
                if not sending:
                    self._rest(c)
                    continue
                try:
                    c.unit = unit = c.lane.next()
                except StopIteration:
                    self._rest(c)
                    c.lane.exhausted = True
                    continue
                c.start = now
                try:
                    sent = write(fd, unit[0])
                except OSError as error:
                    sent = self._unsent(c, error)
                if sent != unit[1] and sent >= 0:
                    self._partly(c, unit[0], sent)
            if last != before:
                if last - before > self._gap_to - self._gap_from:
                    self._gap_from, self._gap_to = before, last
                self._last_good = last
            if seen >= self._next_look:
                self._look(seen)
                last = self._last_good
            if seen >= until or (self._ending and self._all_done()):
                return

    def _next_closed(self, lane: Lane, c: Connection) -> None:
        """Send the next request on a connection that rests; where there is none, it rests on."""
        try:
            unit = lane.next()
        except StopIteration:
            lane.exhausted = True
            lane.free.append(c)
            return
        c.unit = unit
        c.start = c.due = clock()
        try:
            sent = os.write(c.fd, unit[0])
        except OSError as error:
            sent = self._unsent(c, error)
        if sent != unit[1] and sent >= 0:
            self._partly(c, unit[0], sent)

    def _rest(self, c: Connection) -> None:
        c.unit = IDLE
        c.lane.free.append(c)

    def run_open(self, until: int, *, stop: int | None = None, catch_up: bool = True) -> None:
        """Send each request that is due before `stop` when it is due, until then, whatever the replies do.

        One that finds every connection busy waits, and its response time counts from when it was due. Without
        `catch_up` a schedule that fell behind is moved instead: a preload must never exceed its rate.
        """
        stop = until if stop is None else stop
        poll, by_fd, lanes = self._poll.poll, self._by_fd, self.lanes
        late = self.records.lateness.append
        read, write, last = os.read, os.write, self._last_good
        now = clock()
        while True:
            soonest = until
            worked = False
            for lane in lanes:
                due = lane.due
                if due > now or due >= stop or lane.exhausted:
                    if due < soonest and not lane.exhausted:
                        soonest = due
                    continue
                free = lane.free
                for _ in range(_SEND_AT_ONCE):
                    if not free:
                        if not lane.alive:
                            due = self._refused(lane, due, min(now, stop))
                        break
                    try:
                        unit = lane.next()
                    except StopIteration:
                        lane.exhausted = True
                        break
                    c = free.popleft()
                    c.unit, c.due = unit, due
                    c.start = start = clock()
                    freed = c.freed
                    late(start - (due if due > freed else freed))
                    try:
                        sent = write(c.fd, unit[0])
                    except OSError as error:
                        sent = self._unsent(c, error)
                    if sent != unit[1] and sent >= 0:
                        self._partly(c, unit[0], sent)
                    worked = True
                    due += lane.gap()
                    if due > start or due >= stop:
                        break
                lane.due = due
                # Where every connection is busy, a reply wakes us, not the clock.
                if due < soonest and (free or not lane.alive):
                    soonest = due
            events = poll(0, _READ_AT_ONCE)
            if events:
                before = last
                for fd, _ in events:
                    c = by_fd[fd]  # type: ignore[assignment]
                    if c is None:
                        continue
                    unit = c.unit
                    try:
                        data = read(fd, unit[3])
                    except BlockingIOError:
                        self._write_on(c)
                        continue
                    except OSError as error:
                        self._trouble(c, error)
                        continue
                    now = clock()
                    if data == unit[2]:
                        unit[4](now - c.due)
                        unit[5](now - c.start)
                        last = now
                    elif self._odd(c, data, now, now - c.start):
                        last = now
                    elif c.unit is not IDLE or c.sock is None:
                        continue
                    c.freed = now
                    c.unit = IDLE
                    c.lane.free.append(c)
                if last != before:
                    if last - before > self._gap_to - self._gap_from:
                        self._gap_from, self._gap_to = before, last
                    self._last_good = last
                now = clock()
            elif worked:
                now = clock()
            else:
                idle_from = now
                now = clock()
                self.spun_ns += now - idle_from
                away = min(soonest, self._next_look) - now
                if away > _SPIN_NS + 1_000_000:
                    poll((away - _SPIN_NS) / 1e9, 1)
                    now = clock()
            if now >= self._next_look:
                self._look(now, catch_up)
                last = self._last_good
            if now >= until or (self._ending and self._all_done(stop)):
                return

    def _refused(self, lane: Lane, due: int, now: int) -> int:
        """The server is away: what is due now has failed, as an application would see it at once."""
        count = 0
        while due <= now:
            due += lane.gap()
            count += 1
        self.answers.error(f"{lane.endpoint.name} cannot be reached", count)
        return due

    def finite(self) -> None:
        """The units come to an end, and the loop then ends with them."""
        self._ending = True

    def drain(self, stop: int) -> None:
        """Wait for what is due before `stop` to be answered, as long as a reply may take; send nothing else."""
        self._ending, self._sending = True, False
        until = clock() + self._reply_ns + self._look_ns
        if self.closed:
            self.run_closed(until)
        else:
            self.run_open(until, stop=stop)

    def backlog(self, now: int) -> int:
        """Return how many requests are due and not answered."""
        busy = sum(c is not None and c.unit is not IDLE for c in self._by_fd)
        return busy + (0 if self.closed else sum(lane.waiting(now) for lane in self.lanes))

    def _all_done(self, stop: int = 0) -> bool:
        if any(c is not None and c.unit is not IDLE for c in self._by_fd):
            return False
        if self.closed and not self._sending:
            return True
        return all(lane.exhausted or lane.due >= stop for lane in self.lanes if not self.closed) and (
            not self.closed or all(lane.exhausted for lane in self.lanes)
        )

    # --- the window and what is looked after ------------------------------------------------------------

    def begin(self, at: int, end: int | None = None) -> None:
        """The window begins: what was recorded before does not count. The series ends with it."""
        self._end = end
        self.records.reset()
        self.series.clear()
        self.answers.reset()
        self.spun_ns = 0
        self._origin = self._last_good = self._gap_from = self._gap_to = at
        self._next_look, self._next_tick = at + self._look_ns, at + self._tick_ns

    def gap(self, end: int) -> tuple[int, int]:
        """Return from when to when the longest time without a good reply was."""
        if end - self._last_good > self._gap_to - self._gap_from:
            return self._last_good, end
        return self._gap_from, self._gap_to

    def _look(self, now: int, catch_up: bool = True) -> None:
        while now >= self._next_look:
            self._next_look += self._look_ns
        while now >= self._next_tick and (self._end is None or self._next_tick <= self._end):
            self.series.append(((self._next_tick - self._origin) / SECOND, self.records.totals()))
            self._next_tick += self._tick_ns
        for lane in self.lanes:
            if not catch_up and lane.due < now - SECOND // 50:
                lane.due = now
            for c in lane.connections:
                if c.sock is None:
                    if not c.ended and now >= c.retry:
                        self._reconnect(c, now)
                elif c.unit is not IDLE and now - c.start > self._reply_ns:
                    self.records.wrong.timeouts += len(lane.units.requests(c.unit[6]))
                    self.answers.say(f"{lane.endpoint.name} gave no reply within {self._reply_ns / 1e9:g} s")
                    c.unit = IDLE
                    self._drop(c, "")
            down = lane.down_since
            if down is not None and self._give_up_ns is not None and now - down > self._give_up_ns:
                raise Failed(
                    f"{lane.endpoint.name} has gone: no connection for {self._give_up_ns / 1e9:g} s"
                    + (f"; first: {self.answers.first_error}" if self.answers.first_error else "")
                )
        self.records.hand_over()

    # --- replies that are not the foreseen ---------------------------------------------------------------

    def _odd(self, c: Connection, data: bytes, now: int, service: int) -> bool:
        """Take apart what is not the foreseen reply; True where the unit is answered and its replies were good.

        Afterwards the connection is idle (answered, well or not), still waits, or is gone.
        """
        name, unit = c.lane.endpoint.name, c.unit
        if c.making:
            return False
        if not data:
            self._drop(c, f"{name} closed a connection")
            return False
        if c.left:
            self._unparsable(c, f"{name} answered {codec.show(data)} before it had the whole request")
            return False
        if unit is IDLE:
            self._unparsable(c, f"{name} sent {codec.show(data)}, which nobody asked for")
            return False
        if c.buffer_of != c.start:
            c.buffer, c.buffer_of = bytearray(), c.start
        c.buffer += data
        expected = unit[2]
        if expected is not None and len(data) < len(expected) and expected.startswith(data):
            rest = expected[len(data) :]  # so far as it should be: the rest is compared when it comes
            c.unit = (unit[0], unit[1], rest, min(len(rest), LONGEST_READ), *unit[4:])
            return False
        try:
            answers = self.answers.read(c)
        except codec.ProtocolError as error:
            self._unparsable(c, f"{name}: {error}")
            return False
        if answers is None:
            c.unit = (unit[0], unit[1], None, LONGEST_READ, *unit[4:])
            return False
        response = now - (c.start if self.closed else c.due)
        good = True
        for request, reply in answers:
            good &= self.answers.judge(name, request, reply, response, service, c.start)
        c.unit = IDLE
        return good

    def _unparsable(self, c: Connection, why: str) -> None:
        """The connection cannot be trusted any more. It is not made again: it would go wrong again."""
        self.answers.error(why, 0 if c.unit is not IDLE else 1)
        self._drop(c, why, for_good=True)


def pin(cpu: int | None) -> None:
    """Pin this process to a processor, and put it before others there where that is allowed. Raises Failed."""
    if cpu is None:
        return
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError as error:
        raise Failed(f"processor {cpu} cannot be used: {error.strerror}; name others, or none") from error
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        # Where the kernel groups processes by session, nice counts within a session only; the group has its own. A
        # session that is not ours alone is left as it is.
        if os.getsid(0) in (os.getpid(), os.getppid()):
            Path("/proc/self/autogroup").write_text("-20", encoding="ascii")
    except OSError:  # not root, or a kernel without such groups: then it shares its processor like any other
        return
