"""Flask with Flask-SQLAlchemy and psycopg, given the application's one statement and none of its features."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from uuid import UUID

from flask import Flask, request
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy

from tests.benchmarks.peers import books, statement, validation

STATEMENT = statement.given()

db = SQLAlchemy()
app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = books.url("psycopg")
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": books.POOL_SIZE, "max_overflow": 0}
db.init_app(app)


@app.errorhandler(validation.Invalid)
def refuse(exc: validation.Invalid) -> ResponseReturnValue:
    return {"error": str(exc)}, 422


@functools.cache
def ledger_id() -> UUID:
    return db.session.connection().exec_driver_sql(statement.LEDGER_ID).scalar_one()


@app.post(f"/v1/ledgers/{books.LEDGER}/transactions")
def record() -> ResponseReturnValue:
    description, postings = validation.transaction(request.get_json())
    lines = statement.lines(postings)
    values = statement.parameters(ledger_id(), lines, description, datetime.now(UTC), integers=statement.as_text)
    found = db.session.connection().exec_driver_sql(STATEMENT.text, STATEMENT.named(values)).scalar_one()
    answer = statement.judged(found)
    if not answer.transaction_count:
        raise validation.Invalid("not recorded")
    db.session.commit()
    return statement.told(values, lines, answer), 201
