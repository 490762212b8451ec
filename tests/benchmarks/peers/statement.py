"""The application's one statement, for those who are given nothing else of it: a transaction of two lines or more.

The text is the one that the application sends, which is short enough for psycopg to remember, and comes by the
environment; what goes in is a plan of a transaction that names no account twice, carries no idempotency key, and is
effective now. Standard library only.
"""

from __future__ import annotations

import functools
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple, Protocol
from uuid import UUID

VARIABLE = "BENCH_STATEMENT"
PARAMETER = re.compile(r"%\((\w+)\)s")
# Of accounts whose balance grows with debits, which all accounts of the benches are.
EXPONENT = 2
PERIODS = ("day", "month")

Integers = Callable[[list[int]], object]

LEDGER_ID = "SELECT id FROM ledgers WHERE name = 'bench'"


@dataclass(frozen=True)
class Statement:
    """The text as psycopg takes it, and what each parameter is called in it."""

    text: str
    names: Mapping[str, str]

    def named(self, values: Mapping[str, object]) -> Mapping[str, object]:
        """Return the parameters for psycopg."""
        return {self.names[name]: value for name, value in values.items()}

    @functools.cached_property
    def numbered_text(self) -> str:
        """The same with places, for asyncpg."""
        places = {name: place for place, name in enumerate(self.names.values(), start=1)}
        return PARAMETER.sub(lambda found: f"${places[found[1]]}", self.text)

    def numbered(self, values: Mapping[str, object]) -> tuple[object, ...]:
        """Return the parameters for asyncpg."""
        return tuple(values[name] for name in self.names)

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def given() -> Statement:
    """Return the statement that the environment has."""
    return Statement(**json.loads(os.environ[VARIABLE]))


class Answer(NamedTuple):
    """What the statement answers: its counts, and for each line the place of its balance among all of them."""

    is_ours: bool
    account_count: int
    transaction_count: int
    types: Sequence[str] | None
    ranks: Sequence[int] | None
    balances: Sequence[Mapping[str, int]] | None


class Posting(Protocol):
    """A line as it was asked for: a debit or a credit."""

    account: str
    currency: str
    debit: Decimal | None
    credit: Decimal | None


@dataclass(frozen=True)
class Line:
    """One line; a credit is negative. The amount is in the currency's smallest unit."""

    account: str
    currency: str
    amount: int


def lines(postings: Iterable[Posting]) -> list[Line]:
    """Return the lines from amounts as they are written."""
    return [Line(each.account, each.currency, _smallest_units(each)) for each in postings]


def _smallest_units(of: Posting) -> int:
    return int((of.debit if of.debit is not None else -(of.credit or Decimal())).scaleb(EXPONENT))


def text(amount: int) -> str:
    """Return an amount as it is written."""
    return str(Decimal(amount).scaleb(-EXPONENT))


def parameters(
    ledger_id: UUID, lines: Sequence[Line], description: str, now: datetime, *, integers: Integers = list
) -> Mapping[str, object]:
    """Return what goes in, by name; `integers` makes an array of them into what the driver takes."""
    return {
        "ledger_id": ledger_id,
        "now": now,
        "key": None,
        "request_hash": None,
        "packed_ids": None,
        "expired_before": None,
        "new_currencies": [],
        "new_exponents": integers([]),
        "effective_min": now,
        "is_late": False,
        "slot_count": len(lines),
        "transaction_count": 1,
        "ids": [_new_id(now)],
        "references": [None],
        "effective": [now],
        "descriptions": [description],
        "metadata": ["{}"],
        **dict.fromkeys(("terms", "term_places"), integers([])),
        **_of_lines(lines, integers),
        **_of_periods(lines, integers, now.date()),
    }


def _of_lines(lines: Sequence[Line], integers: Integers) -> Mapping[str, object]:
    """Return the arrays with an element for each line, which is also a slot."""
    debited = integers([max(each.amount, 0) for each in lines])
    credited = integers([max(-each.amount, 0) for each in lines])
    currencies = [each.currency for each in lines]
    numbers = integers(list(range(1, len(lines) + 1)))
    return {
        "paths": [each.account for each in lines],
        "amounts": integers([each.amount for each in lines]),
        **dict.fromkeys(("slot_currencies", "currencies"), currencies),
        "debits": debited,
        "credits": credited,
        **dict.fromkeys(("counts", "places"), integers([1] * len(lines))),
        **dict.fromkeys(("slots", "line_numbers"), numbers),
        **dict.fromkeys(("debits_left", "credits_left", "counts_left"), integers([0] * len(lines))),
    }


def _of_periods(lines: Sequence[Line], integers: Integers, today: date) -> Mapping[str, object]:
    """Return the arrays with two elements for each line: its day and its month."""
    amounts = [each.amount for each in lines for _ in PERIODS]
    first_days = [today, today.replace(day=1)] * len(lines)
    return {
        "period_slots": integers([number for number, _ in enumerate(lines, start=1) for _ in PERIODS]),
        "grains": [*PERIODS] * len(lines),
        **dict.fromkeys(("effective_from", "recorded_from"), first_days),
        "period_debits": integers([max(amount, 0) for amount in amounts]),
        "period_credits": integers([max(-amount, 0) for amount in amounts]),
        "period_lines": integers([1] * len(amounts)),
    }


def as_text(values: list[int]) -> str:
    """Return an array of integers as psycopg takes it best, and as the application sends it."""
    return "{" + ",".join(map(str, values)) + "}"


def judged(found: object) -> Answer:
    """Return the answer from its one value, read already or not, as the driver has it."""
    of = json.loads(found) if isinstance(found, str) else found
    assert isinstance(of, list)
    return Answer(*of)


def balances(of: Answer) -> list[str]:
    """Return the balance that each line led to."""
    moved = [(of.balances or [])[rank - 1] for rank in of.ranks or []]
    return [text(each["debits_posted"] - each["credits_posted"]) for each in moved]


def told(values: Mapping[str, object], lines: Sequence[Line], of: Answer) -> dict[str, object]:
    """Return the recorded transaction as plain values, for those who encode them themselves."""
    (new_id,), (description,) = values["ids"], values["descriptions"]
    postings = [
        {"account": each.account, "amount": text(each.amount), "balance": balance}
        for each, balance in zip(lines, balances(of), strict=True)
    ]
    return {"id": str(new_id), "description": description, "postings": postings}


def _new_id(now: datetime) -> UUID:
    """Return a UUIDv7."""
    milliseconds = int(now.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62))
