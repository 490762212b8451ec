"""What a view may rely on of its request, and how each part came to be there.

    route → db options → identity (`caller`) → body (`wanted`) → query (`asked`) → `ledger` → permission → view

`view_options` sets the parts, from what the view declares.
"""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias, TypeVar

import pyramid.request
from pyramid.config import Configurator
from pyramid.interfaces import IRequestExtensions, IRequestFactory
from pyramid.registry import Registry
from pyramid.response import Response
from sqlalchemy.orm import Session

from myapp.api.caller import Caller
from myapp.ledger import model

BodyT = TypeVar("BodyT", covariant=True)
QueryT = TypeVar("QueryT", covariant=True)

# A method may be as long as the server takes a line; no more of it is logged or repeated.
METHOD_SHOWN_MAX = 20

ID_BYTES = 16
ID_KEY = "myapp.request_id"
ID_PATTERN = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}\Z")


class Deadline(Protocol):
    """When the request's time is over."""

    def remaining(self) -> float: ...


class Units(Protocol):
    """The units of work of what the request does beside its own."""

    def begin(self, *, readonly: bool, isolation: str | None = None) -> AbstractContextManager[Session]: ...


class Request(Protocol[BodyT, QueryT]):
    """A request as the views of this room see it: its body and its query decoded, its ledger found."""

    dbsession: Session
    dbstream: Callable[[Callable[[Session], Iterable[bytes]]], Iterable[bytes]]
    db_afterwards: Callable[[Callable[[Units], Response]], Response]
    db_deadline: Deadline
    db_mend: Callable[[Exception, Callable[[Units], None]], None]
    ledger: model.Ledger
    caller: Caller
    now: datetime
    request_id: str
    method: str
    path: str
    query_string: str
    host_url: str
    # Pyramid ships no types.
    accept: Any
    matched_route: Any
    matchdict: Mapping[str, str]
    headers: Mapping[str, str]
    environ: MutableMapping[str, Any]
    # Pyramid ships no types; what the registry holds is typed where it is taken out.
    registry: Any

    @property
    def wanted(self) -> BodyT: ...

    @property
    def asked(self) -> QueryT: ...


class HttpRequest(pyramid.request.Request):  # type: ignore[misc]
    """The request that the server hands in.

    pyramid_retry makes a body readable again by copying it, through a temporary file from 10 kB on, unless it is known
    to be so already. What waitress hands in is.
    """

    def __init__(self, environ: MutableMapping[str, Any], **attributes: Any) -> None:
        stream = environ.get("wsgi.input")
        if isinstance(stream, io.IOBase) and stream.seekable():
            environ.setdefault("webob.is_body_seekable", True)
        super().__init__(environ, **attributes)


AnyRequest: TypeAlias = Request[object, object]

# Behind whatever adds to a request, in the same turn of Pyramid's configuration.
LAST = 1_000


def use_one_class(config: Configurator) -> None:
    """Have every request be of one class, with all that `add_request_method` adds.

    Pyramid makes a class for each request, to add it to; Python then finds nothing where it found it at the one before.
    """
    config.set_request_factory(HttpRequest)
    config.action("myapp.request_class", lambda: _make_class(config.registry), order=LAST)


def _make_class(registry: Registry) -> None:
    added = registry.queryUtility(IRequestExtensions)
    parts = {"__module__": HttpRequest.__module__, **added.methods, **added.descriptors}
    registry.registerUtility(type(HttpRequest.__name__, (HttpRequest,), parts), IRequestFactory)
    added.methods.clear()
    added.descriptors.clear()


def now(_request: AnyRequest) -> datetime:
    """Return the time of the request: one for all it does."""
    return datetime.now(UTC)


def request_id(request: AnyRequest) -> str:
    """Return the client's X-Request-Id if it is a harmless one, else a new one; the same at every attempt."""
    known = request.environ.get(ID_KEY)
    if known is None:
        sent = request.headers.get("X-Request-Id", "")
        known = sent if ID_PATTERN.match(sent) else secrets.token_hex(ID_BYTES)
        request.environ[ID_KEY] = known
    return str(known)
