"""Read the statement of an account for a period: in as many statements whatever came before it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import errors, tables
from myapp.ledger.model import AccountType, Counters, Ledger, Side
from myapp.ledger.queries import history, postings, spans
from myapp.ledger.reports.account import AccountStatement, Flow

accounts = tables.accounts


def account_statement(
    session: Session,
    ledger: Ledger,
    path: str,
    *,
    effective_from: datetime | None,
    effective_to: datetime,
    known_at: datetime | None,
    after: postings.PostingPosition | None,
    limit: int,
) -> AccountStatement:
    """Return a page of an account's lines in a period, with what the whole of it comes to; `effective_to` is exclusive.

    Raises:
        NotFound: there is no such account.
    """
    query = sa.select(accounts.c.id, accounts.c.type).where(accounts.c.ledger_id == ledger.id, accounts.c.path == path)
    account = session.execute(query).one_or_none()
    if account is None:
        raise errors.NotFound(f"There is no account {path}.")
    of = AccountType(account.type)
    before: history.Balances = {}
    if effective_from is not None:
        before = history.balances_at(session, ledger, [account.id], at=effective_from - spans.TICK, known_at=known_at)
    moved = history.movements(
        session, ledger, [account.id], effective_from=effective_from, effective_to=effective_to, known_at=known_at
    )
    lines = postings.list_postings(
        session,
        ledger,
        path,
        effective_from=effective_from,
        effective_to=effective_to,
        known_at=known_at,
        after=after,
        limit=limit,
    )
    return AccountStatement(path=path, type=of, flows=_flows(before, moved, of.normal_side), lines=lines)


def _flows(before: history.Balances, moved: history.Balances, side: Side) -> Mapping[str, Flow]:
    opened, added = _by_currency(before), _by_currency(moved)
    flows = {}
    for code in sorted(opened.keys() | added.keys()):
        counters = added.get(code, Counters())
        opening = opened.get(code, Counters()).balance(side)
        if opening or counters.debits_posted or counters.credits_posted:
            flows[code] = Flow(
                opening=opening,
                debits=counters.debits_posted,
                credits=counters.credits_posted,
                closing=opening + counters.balance(side),
            )
    return flows


def _by_currency(of: Mapping[tuple[UUID, str], Counters]) -> dict[str, Counters]:
    return {currency: counters for (_, currency), counters in of.items()}
