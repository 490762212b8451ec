"""Currencies of a ledger: those it has declared or used, else those of ISO 4217.

A ledger remembers the exponent of an ISO currency when it first uses it, so a newer list of ISO 4217 never changes
the meaning of amounts already recorded. See docs/decisions/0004-exponents-never-change.md.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import iso4217
import sqlalchemy as sa
from sqlalchemy.orm import Session

from myapp.ledger import errors, ids, upsert, words
from myapp.ledger.events import writing
from myapp.ledger.model import Currency, EventType, Ledger
from myapp.ledger.tables import currencies

DECLARED = sa.select(currencies.c.code, currencies.c.exponent).where(
    currencies.c.ledger_id == sa.bindparam("of_ledger"),
    currencies.c.code.in_(sa.bindparam("codes", expanding=True)),
)


@dataclass(frozen=True, slots=True)
class Exponents:
    """What is known of the currencies asked for, and which of them the ledger uses for the first time."""

    of: Mapping[str, int]
    first_used: Mapping[str, int]

    @property
    def declared(self) -> Mapping[str, int]:
        """Those that the ledger has declared or used before."""
        return {code: exponent for code, exponent in self.of.items() if code not in self.first_used}


def read(
    session: Session, ledger_id: UUID, codes: Collection[str], *, declared: Mapping[str, int] | None = None
) -> Exponents:
    """Return the exponents of the codes that are declared or in ISO 4217; the others are absent.

    What is known to be `declared` in the ledger is not asked for again.
    """
    declared = declared or {}
    unknown = sorted(code for code in codes if code not in declared)
    if not unknown:
        return Exponents(of=declared, first_used={})
    rows = session.execute(DECLARED, {"of_ledger": ledger_id, "codes": unknown})
    declared = {**declared, **{row.code: row.exponent for row in rows}}
    iso = iso_exponents()
    first_used = {code: iso[code] for code in unknown if code in iso and code not in declared}
    return Exponents(of={**declared, **first_used}, first_used=first_used)


def use(session: Session, ledger_id: UUID, first_used: Mapping[str, int]) -> None:
    """Remember the exponents that the ledger uses for the first time."""
    if not first_used:
        return
    rows = [{"ledger_id": ledger_id, "code": code, "exponent": exponent} for code, exponent in first_used.items()]
    session.execute(upsert.insert(upsert.dialect_of(session), currencies).on_conflict_do_nothing(), rows)


def declare(session: Session, ledger: Ledger, currency: Currency, *, now: datetime) -> bool:
    """Declare a currency and say whether it is new to the ledger.

    Raises:
        InvalidValue: its code or exponent has no sense.
        AlreadyExists: the ledger, or ISO 4217, has the code with another exponent.
    """
    words.check_currency(currency)
    row = {"ledger_id": ledger.id, "code": currency.code, "exponent": currency.exponent}
    insert = (
        upsert.insert(upsert.dialect_of(session), currencies)
        .values(row)
        .on_conflict_do_nothing()
        .returning(currencies.c.code)
    )
    is_allowed = iso_exponents().get(currency.code, currency.exponent) == currency.exponent
    if is_allowed and session.scalar(insert) is not None:
        payload = {"code": currency.code, "exponent": currency.exponent}
        writing.announce(session, ledger.id, EventType.CURRENCY_DECLARED, id=ids.new_id(now), payload=payload, now=now)
        return True
    exponent = read(session, ledger.id, [currency.code]).of[currency.code]
    if exponent != currency.exponent:
        raise errors.AlreadyExists(f"{currency.code} has {exponent} decimal digits, not {currency.exponent}.")
    return False


@functools.cache
def iso_exponents() -> Mapping[str, int]:
    """Return the exponents of ISO 4217; codes without a smallest unit (gold, XDR) have none."""
    return {currency.code: currency.exponent for currency in iso4217.Currency if currency.exponent is not None}
