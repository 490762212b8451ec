"""The currencies' exponents, remembered: an exponent never changes once it is known, so it is asked for once.

Nothing is remembered of a currency that does not exist yet, nor by a request that declares one and may still fail.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from threading import Lock
from uuid import UUID

from sqlalchemy.orm import Session

from myapp.ledger import model, queries

LEDGERS_MAX = 10_000


class Exponents:
    """Exponents by ledger and code, shared by a process; the ledger learned about longest ago is forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[UUID, dict[str, int]] = OrderedDict()
        self._lock = Lock()

    def of(self, session: Session, ledger: model.Ledger, codes: Collection[str]) -> Mapping[str, int]:
        """Return the exponents of these codes, asking the database for those not known yet."""
        known = self.known(ledger.id)
        missing = {code for code in codes if code not in known}
        if not missing:
            return known
        return self.learn(ledger.id, queries.exponents(session, ledger, missing))

    def known(self, ledger_id: UUID) -> Mapping[str, int]:
        """Return what is remembered of a ledger."""
        return self._known.get(ledger_id, {})

    def learn(self, ledger_id: UUID, learned: Mapping[str, int]) -> Mapping[str, int]:
        """Remember more of a ledger, and return all that is known of it now."""
        with self._lock:
            known = {**self._known.get(ledger_id, {}), **learned}
            self._known[ledger_id] = known
            self._known.move_to_end(ledger_id)
            while len(self._known) > LEDGERS_MAX:
                self._known.popitem(last=False)
            return known
