"""What an account held before a day, to be compared with what the bank says."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger.bank import accounts
from myapp.ledger.model import Ledger
from myapp.ledger.tables import day_totals


def net_before(session: Session, ledger: Ledger, account: str, currency: str, day: date) -> int:
    """Return the debits less the credits posted to an account with effect before a day, in the smallest unit.

    Raises:
        NotFound: there is no such account.
    """
    account_id = accounts.id_of(session, ledger, account)
    query = sa.select(sa.func.sum(day_totals.c.debits_posted - day_totals.c.credits_posted)).where(
        day_totals.c.ledger_id == ledger.id,
        day_totals.c.account_id == account_id,
        day_totals.c.currency == currency,
        day_totals.c.effective_day < day,
    )
    return int(session.scalar(query) or 0)
