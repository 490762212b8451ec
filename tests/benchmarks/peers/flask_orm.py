"""Flask with Flask-SQLAlchemy and psycopg, through the ORM."""

from __future__ import annotations

from flask import Flask, request
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy

from tests.benchmarks.peers import books, models, validation

db = SQLAlchemy()
app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = books.url("psycopg")
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": books.POOL_SIZE, "max_overflow": 0}
db.init_app(app)


@app.errorhandler(validation.Invalid)
def refuse(exc: validation.Invalid) -> ResponseReturnValue:
    return {"error": str(exc)}, 422


@app.post(f"/v1/ledgers/{books.LEDGER}/transactions")
def record() -> ResponseReturnValue:
    description, postings = validation.transaction(request.get_json())
    transaction = models.transfer(db.session.scalars(models.locked(postings)), description, postings)
    db.session.add(transaction)
    db.session.flush()
    answer = models.answer(transaction)
    db.session.commit()
    return answer, 201


@app.get(f"/v1/ledgers/{books.LEDGER}/accounts/<path>/balance")
def balance(path: str) -> ResponseReturnValue:
    account = db.first_or_404(db.select(models.Account).filter_by(path=path))
    return {"account": account.path, "balance": str(account.balance)}
