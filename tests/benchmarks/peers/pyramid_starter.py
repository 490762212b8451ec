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

from tests.benchmarks.peers import books, statement, validation
from tests.benchmarks.peers.models import Account, Posting, Transaction


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
    paths = {posting.account for posting in postings}
    locked = sa.select(Account).where(Account.path.in_(paths)).order_by(Account.id).with_for_update()
    accounts = {account.path: account for account in request.dbsession.scalars(locked)}
    if missing := paths - accounts.keys():
        raise validation.Invalid(f"unknown accounts: {', '.join(sorted(missing))}")
    transaction = Transaction(description=description)
    for posting in postings:
        account = accounts[posting.account]
        account.balance += posting.amount
        transaction.postings.append(
            Posting(account=account, amount=posting.amount, currency=posting.currency, balance=account.balance)
        )
    request.dbsession.add(transaction)
    request.dbsession.flush()
    request.response.status_int = 201
    return {
        "id": transaction.id,
        "description": transaction.description,
        "postings": [
            {"account": each.account.path, "amount": str(each.amount), "balance": str(each.balance)}
            for each in transaction.postings
        ],
    }


def record_by_statement(request: Request) -> Mapping[str, object]:
    description, postings = validation.transaction(request.json_body)
    lines = [statement.line(each.account, each.currency, each.debit, each.credit) for each in postings]
    ledger = ledger_id(request.dbsession.get_bind())
    values = statement.parameters(ledger, lines, description, datetime.now(UTC), integers=statement.as_text)
    row = request.dbsession.connection().exec_driver_sql(statement.NAMED, values).one()
    if not row.transaction_count:
        raise validation.Invalid("not recorded")
    # zope.sqlalchemy commits what the ORM has seen change, or what it is told of.
    zope.sqlalchemy.mark_changed(request.dbsession)
    request.response.status_int = 201
    return statement.answer(values, lines, row.ranks, row.balances)


@functools.cache
def ledger_id(engine: sa.Engine) -> UUID:
    with engine.connect() as connection:
        return connection.exec_driver_sql(statement.LEDGER_ID).scalar_one()


def balance(request: Request) -> Mapping[str, str]:
    query = sa.select(Account).where(Account.path == request.matchdict["path"])
    account = request.dbsession.scalars(query).one_or_none()
    if account is None:
        raise HTTPNotFound
    return {"account": account.path, "balance": str(account.balance)}
