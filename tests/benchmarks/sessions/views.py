"""The application's views, written as the users of each kind of session write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from sqlalchemy.orm import Session, sessionmaker

from tests.benchmarks.sessions import work
from tests.benchmarks.sessions.tables import Account


class Views(Protocol):
    """One view for each kind of request."""

    def read(self, request: Request) -> Response: ...

    def change(self, request: Request) -> Response: ...

    def transfer(self, request: Request) -> Response: ...


@dataclass(frozen=True)
class CommittedInView:
    """The session was there before; the view commits what it did."""

    session: Callable[[], Session]

    def read(self, request: Request) -> Response:
        return _answer(request, work.read(self.session(), _account(request), by=_by(request)))

    def change(self, request: Request) -> Response:
        session = self.session()
        changed = work.change(session, _account(request))
        session.commit()
        return _answer(request, changed)

    def transfer(self, request: Request) -> Response:
        session, account, name = self.session(), _account(request), request.matchdict["name"]
        work.take(session, account, name)
        _midway(request, session, name)
        work.give(session, account + 1, name)
        session.commit()
        return Response()


@dataclass(frozen=True)
class OnePerCall:
    """Each function opens a session of its own, and knows nothing of the others."""

    sessions: sessionmaker[Session]

    def read(self, request: Request) -> Response:
        with self.sessions() as session:
            return _answer(request, work.read(session, _account(request), by=_by(request)))

    def change(self, request: Request) -> Response:
        with self.sessions.begin() as session:
            # Inside the block: after it, with expire_on_commit, the object could not be read any more.
            return _answer(request, work.change(session, _account(request)))

    def transfer(self, request: Request) -> Response:
        account, name = _account(request), request.matchdict["name"]
        with self.sessions.begin() as session:
            work.take(session, account, name)
        with self.sessions.begin() as session:
            _midway(request, session, name)
        with self.sessions.begin() as session:
            work.give(session, account + 1, name)
        return Response()


@dataclass(frozen=True)
class OnePerRequest:
    """The request brings its session, and commits it or not; the view does neither."""

    def read(self, request: Request) -> Response:
        return _answer(request, work.read(request.dbsession, _account(request), by=_by(request)))

    def change(self, request: Request) -> Response:
        return _answer(request, work.change(request.dbsession, _account(request)))

    def transfer(self, request: Request) -> Response:
        session, account, name = request.dbsession, _account(request), request.matchdict["name"]
        work.take(session, account, name)
        _midway(request, session, name)
        work.give(session, account + 1, name)
        return Response()


def add(config: Configurator, views: Views, on_error: Callable[[], object] = lambda: None) -> None:
    """Route the requests to the views, and answer whatever goes wrong with 500 and its name."""

    def failed(exc: Exception, _request: Request) -> Response:
        on_error()
        return Response(type(exc).__name__, status=500)

    config.add_route("account", "/accounts/{account}")
    config.add_route("transfer", "/accounts/{account}/transfers/{name}")
    config.add_view(views.read, route_name="account", request_method="GET")
    config.add_view(views.change, route_name="account", request_method="POST")
    config.add_view(views.transfer, route_name="transfer", request_method="POST")
    config.add_exception_view(failed, context=Exception)


def _midway(request: Request, session: Session, name: str) -> None:
    """Do between the halves of a transfer what the client wishes: nothing, wait, or fail."""
    fault = request.params["fault"]
    if fault == "wait":
        request.registry["turns"].wait()
    else:
        work.fail(session, name, fault)


def _answer(request: Request, account: Account) -> Response:
    """Show the account; an application that keeps what it showed, as caches and audit trails do, keeps the object."""
    request.registry["kept"].append(account)
    return Response(str(account.balance))


def _account(request: Request) -> int:
    return int(request.matchdict["account"])


def _by(request: Request) -> str:
    by: str = request.params.get("by", "get")
    return by
