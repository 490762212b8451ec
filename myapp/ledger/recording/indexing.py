"""Write what transactions are found by beside their columns: a row for each term of each. See terms.py.

No statement where none has a description or metadata. No lock: nobody else writes a row of these transactions.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import terms
from myapp.ledger.recording.request import Request
from myapp.ledger.tables import transaction_terms

INSERT = sa.insert(transaction_terms)


def write(session: Session, request: Request) -> None:
    """Write them with a plain statement."""
    found = terms_of(request)
    if found:
        rows = [
            {"ledger_id": request.ledger.id, "term": term, "transaction_id": request.ids[place]}
            for term, place in found
        ]
        session.execute(INSERT, rows)


def terms_of(request: Request) -> Sequence[tuple[int, int]]:
    """Return the terms, each with the place of its transaction in the request; in the order of the table."""
    return sorted(
        (term, place)
        for place, entry in enumerate(request.entries)
        for term in terms.of(entry.description, entry.metadata)
    )
