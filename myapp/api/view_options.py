"""The view options of this room: what a view declares is what is checked before it runs, and what is documented.

    body=Schema        the request's body is decoded into it, as `request.wanted`
    query=Schema       so is the query, as `request.asked`; without it the view takes no parameters
    answers={201: S}   what it answers, by status (a tuple: one of them; a media.Stream: text that is streamed);
                       the client must accept it
    headers=(name,)    the request headers it heeds, of those that not every view does
    refusals=(code,)   the problem codes it gives beyond those that follow from the options above

Note [Which refusal wins]
A request may be wrong in several ways. The derivers stand in the order that docs/ledger.md gives, with one thing before
it: a caller without a valid key is refused first (401), since strangers must not make the service read and parse.

    db → accept 406 → identity 401 → body 400, 413, 415, 422 → query 400 → ledger 404 → permission 403 → view
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyramid.config import Configurator
from pyramid.response import Response
from pyramid.security import NO_PERMISSION_REQUIRED
from sqlalchemy.orm import Session

from myapp import settings
from myapp.api import bodies, media, parameters, schemas
from myapp.api.remembered import Remembered
from myapp.ledger import model, queries

# Pyramid ships no types: a request, a view's context and its options have none to name.
View = Callable[[Any, Any], Response]

OUTERMOST = "db"
INNERMOST = "secured_view"

ANYTHING = "*/*"


def includeme(config: Configurator) -> None:
    """Put the derivers between the session layer and the permission check. See Note [Which refusal wins]."""
    under = OUTERMOST
    for name, deriver in (
        ("accept", accept_view),
        ("identity", identity_view),
        ("body", body_view),
        ("query", query_view),
        ("ledger", ledger_view),
    ):
        config.add_view_deriver(deriver, name=name, under=under, over=INNERMOST)
        under = name


def accept_view(view: View, info: Any) -> View:
    """Derive a view that refuses a client which accepts nothing that it answers."""
    if "answers" not in info.options:
        return view

    offers = media.offers(info.options["answers"])

    def wrapped(context: Any, request: Any) -> Response:
        accepts = request.environ.get("HTTP_ACCEPT", ANYTHING)
        # Parsing takes longer than all the rest of the way to the view, and most clients say one of these.
        if accepts != ANYTHING and accepts not in offers:
            media.require_accepted(request, offers)
        return view(context, request)

    return wrapped


accept_view.options = ("answers", "headers", "refusals")  # type: ignore[attr-defined]


def identity_view(view: View, info: Any) -> View:
    """Derive a view that refuses a caller it does not know."""
    if not _is_secured(info):
        return view

    def wrapped(context: Any, request: Any) -> Response:
        _ = request.caller
        return view(context, request)

    return wrapped


def body_view(view: View, info: Any) -> View:
    """Derive a view that finds its body decoded."""
    schema = info.options.get("body")
    if schema is None:
        return view
    decode = bodies.decoder(schema)
    # A body need not be a class: it may be one of several.
    may_lack = isinstance(schema, type) and issubclass(schema, schemas.Optional)

    def wrapped(context: Any, request: Any) -> Response:
        application: settings.Application = request.registry["myapp.settings"]
        is_left_out = may_lack and bodies.is_left_out(request)
        request.wanted = schema() if is_left_out else decode(bodies.read(request, bytes_max=application.body_bytes_max))
        return view(context, request)

    return wrapped


body_view.options = ("body",)  # type: ignore[attr-defined]


def query_view(view: View, info: Any) -> View:
    """Derive a view that finds its query decoded."""
    if "answers" not in info.options:
        return view
    schema = info.options.get("query") or schemas.NoQuery

    def wrapped(context: Any, request: Any) -> Response:
        request.asked = parameters.decode_query(request.query_string, schema)
        return view(context, request)

    return wrapped


query_view.options = ("query",)  # type: ignore[attr-defined]


def ledger_view(view: View, info: Any) -> View:
    """Derive a view that finds the ledger of its address."""
    if not _is_secured(info):
        return view

    def wrapped(context: Any, request: Any) -> Response:
        name = request.matchdict.get("ledger")
        if name is not None:
            known: Remembered[str, model.Ledger] = request.registry["myapp.ledgers"]
            request.ledger = known.find(name, lambda: _read_ledger(request.dbsession, parameters.ledger_name(name)))
        return view(context, request)

    return wrapped


def _read_ledger(session: Session, name: str) -> model.Ledger:
    """Return what never changes of a ledger, so that nothing else of it can be out of date."""
    found = queries.get_ledger(session, name)
    return model.Ledger(id=found.id, name=found.name)


def _is_secured(info: Any) -> bool:
    return info.options.get("permission") not in (None, NO_PERMISSION_REQUIRED)
