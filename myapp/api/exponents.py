"""The currencies' exponents, remembered: an exponent never changes once it is known, so it is asked for once.

Nothing is remembered of a currency that does not exist yet, nor by a request that declares one and may still fail.
Beside the exponents stands which currencies a ledger is known to have: one of ISO 4217 has an exponent before that.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping
from threading import Lock
from uuid import UUID

from sqlalchemy.orm import Session

from myapp.api.remembered import Remembered
from myapp.ledger import model, queries

LEDGERS_MAX = 10_000

Memory = Remembered[UUID, Mapping[str, int]]


class Exponents:
    """Exponents by ledger and code, shared by a process; the ledger learned about longest ago is forgotten first."""

    def __init__(self) -> None:
        self._known: Memory = Remembered(seconds_max=math.inf, entries_max=LEDGERS_MAX)
        self._declared: Memory = Remembered(seconds_max=math.inf, entries_max=LEDGERS_MAX)
        self._lock = Lock()

    def of(self, session: Session, ledger: model.Ledger, codes: Collection[str]) -> Mapping[str, int]:
        """Return the exponents of these codes, asking the database for those not known yet."""
        known = self._known.get(ledger.id) or {}
        missing = {code for code in codes if code not in known}
        if not missing:
            return known
        return self._learn(self._known, ledger.id, queries.exponents(session, ledger, missing))

    def declared(self, ledger_id: UUID) -> Mapping[str, int]:
        """Return the currencies that a ledger is known to have declared or used."""
        return self._declared.get(ledger_id) or {}

    def learn_declared(self, ledger_id: UUID, declared: Mapping[str, int]) -> None:
        """Remember currencies that a ledger had declared or used before the unit of work that read them."""
        if not declared.keys() <= self.declared(ledger_id).keys():
            self._learn(self._declared, ledger_id, declared)
            self._learn(self._known, ledger_id, declared)

    def _learn(self, memory: Memory, ledger_id: UUID, learned: Mapping[str, int]) -> Mapping[str, int]:
        with self._lock:
            known = {**(memory.get(ledger_id) or {}), **learned}
            memory.learn(ledger_id, known, read_at=time.monotonic())
            return known
