"""Write what transactions are found by beside their columns: a row for each term of each. See terms.py.

No statement where none has a description or metadata. No lock: nobody else writes a row of these transactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import terms
from myapp.ledger.recording.request import Request
from myapp.ledger.tables import transaction_terms

INSERT = sa.insert(transaction_terms)
# The text never changes, so the driver prepares it.
INSERT_AT_ONCE = (
    "INSERT INTO transaction_terms (ledger_id, term, transaction_id) "
    "SELECT %(ledger_id)s::uuid, term, id FROM unnest(%(terms)s::int8[], %(ids)s::uuid[]) AS t (term, id)"
)


def write(session: Session, request: Request) -> None:
    """Write them with a plain statement."""
    found = _terms(request)
    if found:
        ledger_id = request.ledger.id
        session.execute(INSERT, [{"ledger_id": ledger_id, "term": term, "transaction_id": of} for term, of in found])


def write_at_once(session: Session, request: Request) -> None:
    """Write them in one round trip, however many there are."""
    found = _terms(request)
    if found:
        numbers = "{" + ",".join(str(term) for term, _ in found) + "}"
        values = {"ledger_id": request.ledger.id, "terms": numbers, "ids": [of for _, of in found]}
        session.connection().exec_driver_sql(INSERT_AT_ONCE, values)


def _terms(request: Request) -> Sequence[tuple[int, UUID]]:
    """Return the terms with their transactions, in the order of the table."""
    return sorted((term, of.id) for of in request.entries for term in terms.of(of.description, of.metadata))
