"""FastAPI with asynchronous SQLAlchemy and asyncpg, given the application's one statement and none of its features."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI, HTTPException
from sqlalchemy.ext.asyncio import create_async_engine

from tests.benchmarks.peers import books, statement
from tests.benchmarks.peers.fastapi_schemas import Recorded, RecordedPosting, WantedTransaction

STATEMENT = statement.given()

engine = create_async_engine(books.url("asyncpg"), pool_size=books.POOL_SIZE, max_overflow=0)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with engine.connect() as connection:
        app.state.ledger_id = (await connection.exec_driver_sql(statement.LEDGER_ID)).scalar_one()
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.post(f"/v1/ledgers/{books.LEDGER}/transactions", status_code=201)
async def record(wanted: WantedTransaction) -> Recorded:
    lines = statement.lines(wanted.postings)
    values = statement.parameters(app.state.ledger_id, lines, wanted.description, datetime.now(UTC))
    async with engine.begin() as connection:
        found = await connection.exec_driver_sql(STATEMENT.numbered_text, STATEMENT.numbered(values))
        answer = statement.judged(found.scalar_one())
        if not answer.transaction_count:
            raise HTTPException(422, "Not recorded")
    moved = statement.balances(answer)
    return Recorded(
        id=str(values["ids"][0]),
        description=wanted.description,
        postings=[
            RecordedPosting(account=each.account, amount=each.amount, balance=balance)
            for each, balance in zip(wanted.postings, moved, strict=True)
        ],
    )
