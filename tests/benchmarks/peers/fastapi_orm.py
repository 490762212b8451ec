"""FastAPI with asynchronous SQLAlchemy and asyncpg, through the ORM."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from tests.benchmarks.peers import books, models, validation
from tests.benchmarks.peers.fastapi_schemas import AccountBalance, Recorded, RecordedPosting, WantedTransaction

engine = create_async_engine(books.url("asyncpg"), pool_size=books.POOL_SIZE, max_overflow=0)
Session = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


async def opened_session() -> AsyncIterator[AsyncSession]:
    async with Session() as opened:
        yield opened


SessionDep = Annotated[AsyncSession, Depends(opened_session)]


@app.exception_handler(validation.Invalid)
async def refuse(_request: Request, exc: validation.Invalid) -> JSONResponse:
    return JSONResponse({"detail": str(exc)}, 422)


@app.post(f"/v1/ledgers/{books.LEDGER}/transactions", status_code=201)
async def record(wanted: WantedTransaction, session: SessionDep) -> Recorded:
    accounts = await session.scalars(models.locked(wanted.postings))
    transaction = models.transfer(accounts, wanted.description, wanted.postings)
    session.add(transaction)
    await session.commit()
    return Recorded(
        id=str(transaction.id),
        description=transaction.description,
        postings=[
            RecordedPosting(account=each.account.path, amount=each.amount, balance=each.balance)
            for each in transaction.postings
        ],
    )


@app.get(f"/v1/ledgers/{books.LEDGER}/accounts/{{path}}/balance")
async def balance(path: str, session: SessionDep) -> AccountBalance:
    account = await session.scalar(select(models.Account).where(models.Account.path == path))
    if account is None:
        raise HTTPException(404, "No such account")
    return AccountBalance(account=account.path, balance=account.balance)
