"""A response that streams rows: its body is made while it is sent, in constant memory, on a session of its own.

    def rows(session):
        for name, in session.execute(select(Account.name).order_by(Account.id)):
            yield f"{name}\\n".encode()

    return Response(app_iter=request.dbstream(rows), content_type="text/plain")

    view → the request's own commit → session opened, first chunk made → head of the response → the rest → closed

What fails before the head is sent is answered, and repeated, as if the view had failed. What fails later is raised to
the server, which cuts the connection: a truncated body never looks like a whole one.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator

from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import excview_tween_factory
from sqlalchemy import TextClause, event
from sqlalchemy.orm import ORMExecuteState

from myapp.db import errors, request_session
from myapp.db.limits.deadline import Deadline
from myapp.db.session import UnitOfWorkSession
from myapp.db.telemetry.report import Report

log = logging.getLogger(__name__)

STREAMS = "db_streams"
# Rows that are in memory at a time; a statement's own `yield_per` comes first.
ROWS_PER_FETCH = 1000
# Rows are sent together: a chunk for each would cost the server more than making it.
CHUNK_BYTES = 64 * 1024

Rows = Callable[[UnitOfWorkSession], Iterable[bytes]]
Handler = Callable[[Request], Response]


class Stream:
    """The body of a response; closed or dropped, it gives its connection back, as its generator does.

    One thread iterates, any may close. Not begun, it holds nothing.

    Raises:
        DeadlineExceeded: the request's time was over before the body was sent; the session was ended at that moment.
    """

    def __init__(self, session: UnitOfWorkSession, rows: Rows, deadline: Deadline) -> None:
        self._owner = session.owner
        self._chunks = _chunks(session, rows, functools.partial(_watch, weakref.ref(self), deadline))
        self._made: deque[bytes] = deque()
        self._is_late = False
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Open the session and make the first chunk."""
        with self._lock:
            self._made.extend(itertools.islice(self._chunks, 1))
            self._require_time()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._lock:
            self._require_time()
            return self._made.popleft() if self._made else next(self._chunks)

    def _require_time(self) -> None:
        if self._is_late:
            raise errors.DeadlineExceeded("The time for this request was over before its whole body was sent.")

    def close(self) -> None:
        """End the session, wherever the body is; may be called again."""
        with self._lock:
            self._made.clear()
            self._chunks.close()

    def end_late(self) -> None:
        """Cut the body off, since the time is over."""
        self._is_late = True
        log.warning("The time for %s is over before its body is sent; it is cut off.", self._owner)
        self.close()


def dbstream(request: Request, rows: Rows) -> Stream:
    """Return the body of a response: what `rows` yields, given a read-only session that lives while it is sent.

    Raises:
        SessionMisuse: the request writes, so that its stream could fail, or be repeated, after it was committed.
    """
    unit = request_session.unit(request)
    if not unit.readonly:
        raise errors.SessionMisuse(
            f"request.dbstream() was called, but {request.method} {request.path} may write. Let the view write and "
            'answer briefly, and stream in a GET; a view that only reads may say so with db={"readonly": True}.'
        )
    owner = f"the stream of {request.method} {request.path}"
    # What it does after the head of its answer is no part of what is told of the request.
    unit.report = Report.like(unit.report)
    session = request.registry["db.sessions"](owner=owner, unit=unit)
    event.listen(session, "do_orm_execute", _fetch_piecemeal)
    stream = Stream(session, rows, request.db_deadline)
    # Weakly: a stream that is dropped, as its response is, ends by that.
    request.__dict__.setdefault(STREAMS, weakref.WeakSet()).add(stream)
    return stream


def streaming_tween(handler: Handler, registry: Registry) -> Handler:
    """Begin what the view streams once the request's own transaction is over, while an error can still be answered.

    The request has given its connection back by then, so that nobody holds one while waiting for another.
    """

    def beginning(request: Request) -> Response:
        response = handler(request)
        # With an exception the view's own response was thrown away, and a HEAD has no body.
        if request.exception is None and request.method != "HEAD":
            for stream in list(request.__dict__.get(STREAMS, ())):
                stream.begin()
        return response

    return excview_tween_factory(beginning, registry)  # type: ignore[no-any-return]


def _watch(found: weakref.ref[Stream], deadline: Deadline) -> threading.Timer:
    """Have the stream end at the deadline: where a client does not read, the server's thread waits and cannot look."""
    watch = threading.Timer(deadline.remaining(), _end_late, [found])
    watch.daemon = True
    watch.start()
    return watch


def _end_late(found: weakref.ref[Stream]) -> None:
    stream = found()
    if stream is not None:
        stream.end_late()


def _chunks(session: UnitOfWorkSession, rows: Rows, watch: Callable[[], threading.Timer]) -> Generator[bytes]:
    """Make the body in pieces of about `CHUNK_BYTES`; before the last one is sent the session has ended."""
    made: list[bytes] = []
    size = 0
    with contextlib.ExitStack() as stack:
        stack.callback(session.close)
        stack.callback(watch().cancel)
        stack.enter_context(session.begin())
        pieces = rows(session)
        if isinstance(pieces, Generator):
            # So that it tidies up while its session lives.
            stack.callback(pieces.close)
        for piece in pieces:
            made.append(piece)
            size += len(piece)
            if size >= CHUNK_BYTES:
                yield b"".join(made)
                made, size = [], 0
        session.unit.may_commit = True
    if made:
        yield b"".join(made)


def _fetch_piecemeal(state: ORMExecuteState) -> None:
    """Have rows fetched some at a time: on PostgreSQL by a cursor on the server, on SQLite by stepping on."""
    # What completes a single object is small, and SQLAlchemy refuses to load it piecemeal.
    is_part = state.is_relationship_load or state.is_column_load
    is_query = state.is_select or state.is_from_statement or isinstance(state.statement, TextClause)
    if is_query and not is_part:
        state.update_execution_options(yield_per=state.execution_options.get("yield_per", ROWS_PER_FETCH))
