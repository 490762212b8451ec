"""What an account held before a day, to be compared with what the bank says."""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session

from myapp.ledger import grains
from myapp.ledger.bank import accounts
from myapp.ledger.model import Ledger, Side
from myapp.ledger.queries import history, spans


def net_before(session: Session, ledger: Ledger, account: str, currency: str, day: date) -> int:
    """Return the debits less the credits posted to an account with effect before a day, in the smallest unit.

    Raises:
        NotFound: there is no such account.
    """
    account_id = accounts.id_of(session, ledger, account)
    at = grains.start_of(day) - spans.TICK
    held = history.balances_at(session, ledger, [account_id], at=at, known_at=None).get((account_id, currency))
    return 0 if held is None else held.balance(Side.DEBIT)
