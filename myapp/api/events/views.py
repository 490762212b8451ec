"""Follow the events of a ledger."""

from __future__ import annotations

from pyramid.response import Response
from pyramid.view import view_config

from myapp.api import security
from myapp.api.events.following import Follower
from myapp.api.events.schemas import EventPage, EventsQuery
from myapp.api.request import Request


@view_config(
    route_name="events",
    request_method="GET",
    permission=security.READ,
    query=EventsQuery,
    answers={200: EventPage},
)
def list_events(request: Request[None, EventsQuery]) -> Response:
    """Follow what happens.

    Events in the order of their commits, numbered without a gap: send `next` back as `after`, and none is missed or
    seen twice. With `wait`, an answer without events comes only after so many seconds, or where too many wait already.
    """
    follower = Follower(request)
    answer = follower.look(request.dbsession, is_last=not request.asked.wait)
    if answer is not None:
        return answer
    return request.db_afterwards(follower.answer)
