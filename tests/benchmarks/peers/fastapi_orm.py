"""FastAPI with asynchronous SQLAlchemy and asyncpg, through the ORM."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from tests.benchmarks.peers import books
from tests.benchmarks.peers.fastapi_schemas import AccountBalance, Recorded, RecordedPosting, WantedTransaction
from tests.benchmarks.peers.models import Account, Posting, Transaction

engine = create_async_engine(books.url("asyncpg"), pool_size=books.POOL_SIZE, max_overflow=0)
Session = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


async def opened_session() -> AsyncIterator[AsyncSession]:
    async with Session() as opened:
        yield opened


SessionDep = Annotated[AsyncSession, Depends(opened_session)]


@app.post(f"/v1/ledgers/{books.LEDGER}/transactions", status_code=201)
async def record(wanted: WantedTransaction, session: SessionDep) -> Recorded:
    paths = {posting.account for posting in wanted.postings}
    locked = select(Account).where(Account.path.in_(paths)).order_by(Account.id).with_for_update()
    accounts = {account.path: account for account in await session.scalars(locked)}
    if missing := paths - accounts.keys():
        raise HTTPException(422, f"Unknown accounts: {', '.join(sorted(missing))}")
    transaction = Transaction(description=wanted.description)
    for posting in wanted.postings:
        account = accounts[posting.account]
        account.balance += posting.amount
        transaction.postings.append(
            Posting(account=account, amount=posting.amount, currency=posting.currency, balance=account.balance)
        )
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
    account = await session.scalar(select(Account).where(Account.path == path))
    if account is None:
        raise HTTPException(404, "No such account")
    return AccountBalance(account=account.path, balance=account.balance)
