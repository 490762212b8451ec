"""An answer that is made once the request's own unit of work is over, with short ones of its own and pauses between.

    def list_news(request):
        return request.db_afterwards(answer)

    def answer(units):
        while not is_late():
            with units.begin(readonly=True) as session:
                if news := read(session):
                    return Response(json_body=news)
            time.sleep(0.2)                              # nothing is held: no connection, no place in a line
        return Response(json_body=[])

The request's own unit of work must only read. What fails is answered, and repeated, as if the view had failed: so what
such an answer writes must bear being written again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import excview_tween_factory

from myapp.db import errors, request_session, scope
from myapp.db.session import UnitOfWorkSession

ANSWER = "db_answer"

Handler = Callable[[Request], Response]


class Units:
    """The units of work of an answer: one after the other, each within the time of the request."""

    def __init__(self, request: Request) -> None:
        self._request = request

    @contextmanager
    def begin(self, *, readonly: bool, isolation: str | None = None) -> Iterator[UnitOfWorkSession]:
        """Open a session for one of them; with replicas, each sees at least what those before it wrote."""
        request = self._request
        unit = request_session.unit(request)
        unit.readonly, unit.isolation = readonly, isolation
        owner = f"the answer to {request.method} {request.path}"
        with scope.unit_of_work(request.registry["db.sessions"], unit, owner=owner) as session:
            yield session
        if unit.position is not None:
            request.db_position = unit.position


Answer = Callable[[Units], Response]


def db_afterwards(request: Request, answer: Answer) -> Response:
    """Have the answer made after the request's own unit of work; to be returned by the view, in place of the answer.

    Raises:
        SessionMisuse: the request may write, so that its answer could fail, or be repeated, after it was committed.
    """
    if not request_session.unit(request).readonly:
        raise errors.SessionMisuse(
            f"request.db_afterwards() was called, but {request.method} {request.path} may write. Use it in a GET; a "
            'view that only reads may say so with db={"readonly": True}.'
        )
    setattr(request, ANSWER, answer)
    return Response(status=204)


def answering_tween(handler: Handler, registry: Registry) -> Handler:
    """Make what is to be answered afterwards, while an error can still be answered."""

    def answering(request: Request) -> Response:
        response = handler(request)
        answer: Answer | None = request.__dict__.get(ANSWER)
        # With an exception the view's own response was thrown away.
        if answer is None or request.exception is not None:
            return response
        made = answer(Units(request))
        own = request.__dict__.get("dbsession")
        if own is not None:
            # What the client is told of how far it has seen.
            own.unit.position = request.db_position
        return made

    return excview_tween_factory(answering, registry)  # type: ignore[no-any-return]
