"""Read the figures that reports are made of: two statements, however many accounts and postings there are.

What is pending counts in none. For figures that agree with one another ask at REPEATABLE READ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import errors, tables
from myapp.ledger.model import AccountType, Ledger
from myapp.ledger.queries import history, prices, spans
from myapp.ledger.queries.spans import Stretch
from myapp.ledger.reports import valuing
from myapp.ledger.reports.figures import Figure
from myapp.ledger.reports.valuing import Rate, Valued

accounts = tables.accounts


def figures_at(session: Session, ledger: Ledger, *, at: datetime, known_at: datetime | None) -> Sequence[Figure]:
    """Return what every account had at an effective time, as known at a recorded one; both are inclusive."""
    return _figures(session, ledger, spans.up_to(at), known_at)


def figures_between(
    session: Session,
    ledger: Ledger,
    *,
    effective_from: datetime | None,
    effective_to: datetime,
    known_at: datetime | None,
) -> Sequence[Figure]:
    """Return what a period added to every account; `effective_to` is exclusive."""
    return _figures(session, ledger, Stretch(since=effective_from, until=effective_to), known_at)


def value_figures(
    session: Session,
    ledger: Ledger,
    figures: Sequence[Figure],
    currency: str,
    *,
    given: Mapping[str, Decimal],
    exponents: Mapping[str, int],
    at: datetime,
    known_at: datetime | None,
) -> Valued:
    """Return what the figures are worth in a currency: by the prices given, else by those recorded at or before `at`.

    Raises:
        UnknownCurrency: there is no such currency to value in.
        MissingPrice: a currency has no price.
    """
    if currency not in exponents:
        raise errors.UnknownCurrency(f"There is no currency {currency}; declare it with PUT.")
    rates = {code: Rate(currency=code, quote=currency, price=price) for code, price in given.items()}
    missing = set(valuing.foreign(figures, currency)) - rates.keys()
    rates.update(prices.find_rates(session, ledger, missing, currency, at=at, known_at=known_at))
    return valuing.value(figures, currency, rates, exponents=exponents, at=at)


def _figures(session: Session, ledger: Ledger, effective: Stretch, known_at: datetime | None) -> Sequence[Figure]:
    nets = history.nets(session, ledger, effective, known_at=known_at)
    columns = (accounts.c.id, accounts.c.path, accounts.c.type, accounts.c.created_at)
    # What has postings is never left out, whatever the clocks of two processes say.
    return [
        Figure(path=path, type=AccountType(of), nets=nets.get(id_, {}))
        for id_, path, of, created_at in session.execute(sa.select(*columns).where(accounts.c.ledger_id == ledger.id))
        if known_at is None or created_at <= known_at or id_ in nets
    ]
