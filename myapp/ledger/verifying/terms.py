"""Terms: the transactions are found by the words of their description and by their metadata, and by nothing else.

The terms have no index by transaction, so both tables are brought together by one sort, and read as they come.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import terms
from myapp.ledger.columns import AnyRow, JsonText, Text
from myapp.ledger.model import Ledger
from myapp.ledger.queries import by_key
from myapp.ledger.tables import transaction_terms, transactions
from myapp.ledger.verifying import check
from myapp.ledger.verifying.check import Check

AGREE = "terms-agree"

ROWS_AT_ONCE = 1_000


def agree(session: Session, ledger: Ledger) -> Check:
    """Each transaction has the terms of its text, and no other ones."""
    rows = session.execute(_both(ledger).execution_options(yield_per=ROWS_AT_ONCE))
    compared = {"transactions": 0, "terms": 0}
    violations: list[str] = []
    for transaction_id, of in itertools.groupby(rows, key=lambda row: row.transaction_id):
        wanted: frozenset[int] = frozenset()
        there = set()
        for row in of:
            if row.term is None:
                compared["transactions"] += 1
                wanted = frozenset(terms.of(row.description, row.metadata))
            else:
                there.add(row.term)
        compared["terms"] += len(there)
        if there != wanted and len(violations) < check.VIOLATIONS_MAX:
            violations.append(_violation(transaction_id))
    return check.of(AGREE, compared, violations)


def violations_of(session: Session, ledger: Ledger, recorded: Sequence[AnyRow]) -> Iterator[str]:
    """Yield which of these transactions are not found by all of their terms."""
    wanted = {(term, row.id) for row in recorded for term in terms.of(row.description, row.metadata)}
    columns = (transaction_terms.c.term, transaction_terms.c.transaction_id)
    query = sa.select(*columns).where(transaction_terms.c.ledger_id == ledger.id)
    there = {(row.term, row.transaction_id) for row in by_key.read_together(session, query, columns, sorted(wanted))}
    yield from map(_violation, sorted({transaction_id for _, transaction_id in wanted - there}))


def _violation(transaction_id: object) -> str:
    return f"transaction {transaction_id} is not found by its words and metadata"


def _both(ledger: Ledger) -> sa.Select[Any]:
    """Select the transactions with their texts, and after each its terms."""
    heads = sa.select(
        transactions.c.id.label("transaction_id"),
        sa.cast(sa.null(), transaction_terms.c.term.type).label("term"),
        transactions.c.description,
        transactions.c.metadata,
    ).where(transactions.c.ledger_id == ledger.id)
    table = transaction_terms
    numbers = sa.select(
        table.c.transaction_id, table.c.term, sa.cast(sa.null(), Text), sa.cast(sa.null(), JsonText())
    ).where(table.c.ledger_id == ledger.id)
    both = sa.union_all(heads, numbers).subquery()
    return sa.select(both).order_by(both.c.transaction_id)
