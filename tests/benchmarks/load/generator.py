"""`python -m tests.benchmarks.load.generator`: carry out the order on standard input, tell the outcome on the output.

A closed loop asks how much a server can do: each connection sends its next request when it has its answer. An open
loop asks how long clients wait: requests fall due at a fixed rate, whatever happened to those before, and a latency
counts from when its request was due, also where every connection was busy then.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import selectors
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator

from tests.benchmarks.load import percentiles, schedule
from tests.benchmarks.load.connection import LOST, Connection
from tests.benchmarks.load.order import Order, Outcome

HOST = "127.0.0.1"
MILLISECONDS = 1000
# How long it takes at most to notice that a run is over, or a connection lost.
TURN_SECONDS = 0.01


class Run:
    """One run under way."""

    def __init__(self, order: Order, loop: asyncio.AbstractEventLoop) -> None:
        self._order = order
        self._loop = loop
        self._requests = requests(order)
        self._connections: list[Connection] = []
        self._lost: set[Connection] = set()
        self._free: deque[Connection] = deque()
        self._next: Callable[[Connection], None] = self._send_next
        self._total = schedule.count(order.rate or 0, order.seconds)
        self._sent = 0
        self._began = self._answered_at = loop.time()
        self._is_over = False
        self._has_lost = asyncio.Event()
        self.latencies: list[float] = []
        self.lags: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.first_refusal: str | None = None

    async def carry_out(self) -> float:
        """Carry out the order and return the seconds until the last answer."""
        for _ in range(self._order.connections):
            self._connections.append(await self._connect())
        self._began = self._loop.time()
        if self._order.rate is None:
            await self._closed()
        else:
            await self._open(self._order.rate)
        self._is_over = True
        await self._finish()
        return self._answered_at - self._began

    async def _closed(self) -> None:
        for each in self._connections:
            self._send_next(each)
        while self._loop.time() < self._began + self._order.seconds and not self._is_over:
            await self._pause(TURN_SECONDS)
            await self._mend()

    async def _open(self, rate: float) -> None:
        self._next = self._send_due
        self._free.extend(self._connections)
        while self._sent < self._total and (now := self._loop.time()) < self._deadline:
            ready = schedule.due_until(now - self._began, rate, self._total)
            lags = self._dispatch(ready, rate)
            # Had none been free, the lag were the server's: it is in the latency.
            self.lags += lags
            wait = self._began + schedule.due(ready, rate) - self._loop.time()
            await self._pause(min(wait, TURN_SECONDS) if ready < self._total else TURN_SECONDS)
            await self._mend()
        for number in range(self._sent, self._total):
            self._give_up(self._began + schedule.due(number, rate))

    def _dispatch(self, ready: int, rate: float) -> list[float]:
        """Send what is due as long as a connection is free; return how late each was."""
        lags = []
        while self._free and self._sent < ready:
            since = self._began + schedule.due(self._sent, rate)
            lags.append((self._loop.time() - since) * MILLISECONDS)
            self._send(self._free.popleft(), since)
        return lags

    def _send_due(self, connection: Connection) -> None:
        """In an open loop: send what has been waiting for a connection, or keep it for what falls due."""
        assert self._order.rate is not None
        self._free.append(connection)
        elapsed = self._loop.time() - self._began
        self._dispatch(schedule.due_until(elapsed, self._order.rate, self._total), self._order.rate)

    async def _finish(self) -> None:
        while any(each.is_busy for each in self._connections) and self._loop.time() < self._deadline:
            await asyncio.sleep(0.001)
        for each in self._connections:
            if each.is_busy:
                self._give_up(each.since)
            each.close()

    def _give_up(self, since: float) -> None:
        """Count a request as lost that was due or sent then; it has waited so long at least."""
        self._answered_at = self._loop.time()
        self.latencies.append((self._answered_at - since) * MILLISECONDS)
        self.statuses[LOST] += 1

    def _send_next(self, connection: Connection) -> None:
        """In a closed loop: send the next request, unless the run is over."""
        self._is_over |= self._order.requests_max is not None and self._sent >= self._order.requests_max
        if not self._is_over:
            self._send(connection, self._loop.time())

    def _send(self, connection: Connection, since: float) -> None:
        self._sent += 1
        if connection.is_open:
            connection.send(next(self._requests), since)
        else:
            # Closed while it was idle, or after an answer: what a client sends over another is late, and not lost.
            connection.since = since
            self._lose(connection)

    def _answered(self, connection: Connection, status: str, answer: bytes) -> None:
        self._answered_at = self._loop.time()
        self.latencies.append((self._answered_at - connection.since) * MILLISECONDS)
        self.statuses[status] += 1
        if not status.startswith(self._order.expected):
            self.first_refusal = self.first_refusal or answer.decode(errors="replace")
        if status == LOST:
            connection.since = 0.0
            self._lose(connection)
        else:
            self._next(connection)

    @property
    def _deadline(self) -> float:
        return self._began + self._order.seconds + self._order.patience_seconds

    async def _connect(self) -> Connection:
        _transport, connection = await self._loop.create_connection(
            lambda: Connection(self._answered, self._order.expected), HOST, self._order.port
        )
        return connection

    def _lose(self, connection: Connection) -> None:
        self._lost.add(connection)
        self._has_lost.set()

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until there is something to mend."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._has_lost.wait()

    async def _mend(self) -> None:
        """Connect anew in place of what was lost, and send what was to be sent over it."""
        self._has_lost.clear()
        while self._lost:
            old = self._lost.pop()
            new = self._connections[self._connections.index(old)] = await self._connect()
            if old.since:
                new.send(next(self._requests), old.since)
            else:
                self._next(new)


def requests(order: Order) -> Iterator[bytes]:
    """Yield the bytes of one request after the other, around and around."""
    prepared = []
    for call in order.calls:
        common = f" HTTP/1.1\r\nHost: {HOST}:{order.port}\r\n"
        common += "".join(f"{name}: {value}\r\n" for name, value in {**order.headers, **call.headers}.items())
        if call.body is None:
            prepared.append((f"GET {call.path}{common}\r\n".encode(), None))
        else:
            head = f"POST {call.path}{common}Content-Type: application/json\r\n"
            head += f"Content-Length: {len(call.body.encode())}\r\n"
            prepared.append((f"{head}Idempotency-Key: {order.key}-".encode(), f"\r\n\r\n{call.body}".encode()))
    for number, (before, after) in enumerate(itertools.cycle(prepared)):
        yield before if after is None else b"%s%d%s" % (before, number, after)


def main() -> None:
    order = Order.from_json(sys.stdin.read())
    # select() waits for microseconds where epoll rounds to milliseconds, and few connections cost it nothing.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    run = Run(order, loop)
    spent = time.process_time()
    seconds = loop.run_until_complete(run.carry_out())
    outcome = Outcome(
        seconds=seconds,
        statuses={status: count for status, count in run.statuses.items() if count},
        latency=percentiles.summary(run.latencies),
        cpu_seconds=time.process_time() - spent,
        lag=percentiles.percentile(sorted(run.lags), 0.99) if run.lags else None,
        first_refusal=run.first_refusal,
        expected=order.expected,
    )
    sys.stdout.write(outcome.to_json())


if __name__ == "__main__":
    main()
