"""Pyramid as its SQLAlchemy starter lays it out: pyramid_tm, a session registered with its transaction per request.

It runs in the application's own environment, behind waitress, through the ORM or with the application's one statement.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa
import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.router import Router
from sqlalchemy.orm import Session, sessionmaker
from transaction import TransactionManager

from tests.benchmarks.peers import books, models, statement, validation


def main(global_config: Mapping[str, str], **settings: str) -> Router:
    """Return the application."""
    with Configurator(settings=settings) as config:
        include_models(config)
        config.add_route("transactions", f"/v1/ledgers/{books.LEDGER}/transactions", request_method="POST")
        config.add_route("balance", f"/v1/ledgers/{books.LEDGER}/accounts/{{path}}/balance", request_method="GET")
        record = record_by_statement if settings["bench.form"] == "statement" else record_by_orm
        config.add_view(record, route_name="transactions", renderer="json")
        config.add_view(balance, route_name="balance", renderer="json")
        config.add_exception_view(refuse, context=validation.Invalid, renderer="json")
        return config.make_wsgi_app()


def include_models(config: Configurator) -> None:
    """Do what `models/__init__.py` of the starter does."""
    settings = config.get_settings()
    settings["tm.manager_hook"] = "pyramid_tm.explicit_manager"
    config.include("pyramid_tm")
    config.include("pyramid_retry")
    engine = sa.engine_from_config(settings, pool_size=books.POOL_SIZE, max_overflow=0)
    session_factory = sessionmaker(bind=engine)

    def dbsession(request: Request) -> Session:
        return get_tm_session(session_factory, request.tm, request=request)

    config.add_request_method(dbsession, reify=True)


def get_tm_session(
    factory: sessionmaker[Session], transaction_manager: TransactionManager, request: Request
) -> Session:
    dbsession = factory(info={"request": request})
    zope.sqlalchemy.register(dbsession, transaction_manager=transaction_manager)
    return dbsession


def refuse(exc: validation.Invalid, request: Request) -> Mapping[str, str]:
    request.response.status_int = 422
    return {"error": str(exc)}


def record_by_orm(request: Request) -> Mapping[str, object]:
    description, postings = validation.transaction(request.json_body)
    accounts = request.dbsession.scalars(models.locked(postings))
    transaction = models.transfer(accounts, description, postings)
    request.dbsession.add(transaction)
    request.dbsession.flush()
    request.response.status_int = 201
    return models.answer(transaction)


def record_by_statement(request: Request) -> Mapping[str, object]:
    description, postings = validation.transaction(request.json_body)
    lines = statement.lines(postings)
    ledger, given = ledger_id(request.dbsession.get_bind()), given_statement()
    values = statement.parameters(ledger, lines, description, datetime.now(UTC), integers=statement.as_text)
    found = request.dbsession.connection().exec_driver_sql(given.text, given.named(values)).scalar_one()
    answer = statement.judged(found)
    if not answer.transaction_count:
        raise validation.Invalid("not recorded")
    # zope.sqlalchemy commits what the ORM has seen change, or what it is told of.
    zope.sqlalchemy.mark_changed(request.dbsession)
    request.response.status_int = 201
    return statement.told(values, lines, answer)


given_statement = functools.cache(statement.given)


@functools.cache
def ledger_id(engine: sa.Engine) -> UUID:
    with engine.connect() as connection:
        return connection.exec_driver_sql(statement.LEDGER_ID).scalar_one()


def balance(request: Request) -> Mapping[str, str]:
    query = sa.select(models.Account).where(models.Account.path == request.matchdict["path"])
    account = request.dbsession.scalars(query).one_or_none()
    if account is None:
        raise HTTPNotFound
    return {"account": account.path, "balance": str(account.balance)}
