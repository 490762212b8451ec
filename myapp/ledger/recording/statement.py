"""Record in one statement on plain PostgreSQL: one round trip for one transaction and for ten thousand.

The text of the statement never changes, so the driver prepares it; what differs goes in as arrays. See
ledger/sql/record.sql.
"""

from __future__ import annotations

import importlib.resources
import json
import operator
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from myapp.errors import MyappError
from myapp.ledger import grains, idempotency, tables
from myapp.ledger.grains import Grain
from myapp.ledger.model import AccountType, Side
from myapp.ledger.plan import Plan, Slot
from myapp.ledger.recording import indexing, limits, parties, refusals, steps, totals
from myapp.ledger.recording.request import Balance, Key, Place, Request

PARAMETER = re.compile(r"%\((\w+)\)s")
MARKS = string.digits + string.ascii_letters


def _compact(text: str) -> tuple[str, Mapping[str, str]]:
    """Return the statement as short as it can be said, and the short name of each parameter.

    The driver parses a text anew each time it runs, unless it is at most 4,096 characters long; for this one that
    would be a good part of the work.
    """
    text = " ".join(re.sub(r"--.*", "", text).split())
    text = re.sub(r" ?([(),=<>+*?-]) ?", r"\1", text)
    local = {name: f"_{mark}" for mark, name in zip(MARKS, _local_names(text), strict=False)}
    text = re.sub(r"(?<!%\()\b(?<!AS )[a-z_]+\b", lambda found: local.get(found[0], found[0]), text)
    names = {name: mark for mark, name in zip(MARKS, dict.fromkeys(PARAMETER.findall(text)), strict=False)}
    return PARAMETER.sub(lambda found: f"%({names[found[1]]})s", text), names


def _local_names(text: str) -> Sequence[str]:
    """Return what the statement itself names: its parts, and columns of its arrays."""
    parts = re.findall(r"\b([a-z_]+) AS\(", text)
    columns = [name for found in re.findall(r"[) ]\w+\(([a-z_,]+)\)", text) for name in found.split(",")]
    known = {name for table in tables.metadata.tables.values() for name in (table.name, *table.columns.keys())}
    return [name for name in dict.fromkeys([*parts, *columns]) if name not in known and name != "count"]


RECORD, NAMES = _compact(importlib.resources.files("myapp.ledger").joinpath("sql/record.sql").read_text())


def record(session: Session, request: Request) -> Sequence[Place] | None:
    """Record the request and return where each slot's postings went, or None where its idempotency key is in use.

    Raises:
        Refusal: see docs/ledger.md, "Refusals".
    """
    if not request.plan.fits or not request.plan.only_posts:
        # What does not fit in 64 bits cannot be sent, but what else is wrong comes first; the steps find out. They also
        # do what is rarer than plain postings, and would make the statement longer for all.
        return steps.record(session, request)
    answer = session.connection().exec_driver_sql(RECORD, _parameters(request)).scalar_one()
    is_ours, account_count, transaction_count, types, ranks, balances = answer
    if not is_ours:
        return None
    slots = request.plan.slots
    if account_count < len(slots):
        parties.check(request, parties.read(session, request))
        raise refusals.gone()
    if transaction_count < len(request.entries):
        raise refusals.duplicate(session, request) or refusals.gone()
    by_rank = [_balance(each) for each in balances or ()]
    if len(by_rank) < len(slots):
        raise _refuse_overflow(session, request, by_rank)
    moved = [by_rank[rank - 1] for rank in ranks]
    parties.check_again(session, request, moved)
    places = [Place(AccountType(of), balance) for of, balance in zip(types, moved, strict=True)]
    limits.check(request, places)
    return places


_beside_account = operator.itemgetter(*Balance._fields[1:])


def _balance(of: Mapping[str, Any]) -> Balance:
    """Return a balance that came as JSON."""
    return Balance(UUID(of["account_id"]), *_beside_account(of))


def _refuse_overflow(session: Session, request: Request, kept: Sequence[Balance]) -> MyappError:
    """Return why some of the balances did not take what the request adds; `kept` are those that did."""
    found = parties.read(session, request)
    parties.check(request, found)
    keys = [Key(found.accounts[slot.path].id, slot.currency) for slot in request.plan.slots]
    moved = {Key(balance.account_id, balance.currency): balance for balance in kept}
    parties.check_again(session, request, [moved.get(key) for key in keys])
    return refusals.overflow(session, request, keys, moved.keys()) or refusals.gone()


def _parameters(request: Request) -> dict[str, object]:
    parts = (
        _of_request(request),
        _of_slots(request.plan.slots),
        _of_transactions(request),
        _of_lines(request.plan),
        _of_periods(request),
        _of_terms(request),
    )
    return {NAMES[name]: value for part in parts for name, value in part.items()}


def _of_request(request: Request) -> dict[str, object]:
    claim = request.claim
    return {
        "ledger_id": request.ledger.id,
        "now": request.now,
        "key": None if claim is None else claim.key,
        "request_hash": None if claim is None else claim.request_hash,
        "expired_before": None if claim is None else claim.expired_before,
        "packed_ids": None if claim is None else idempotency.pack(request.ids),
        "new_currencies": _texts(sorted(request.first_used)),
        "new_exponents": _array(request.first_used[code] for code in sorted(request.first_used)),
        "effective_min": request.effective_first,
        "is_late": request.is_late,
        "slot_count": len(request.plan.slots),
        "transaction_count": len(request.entries),
    }


def _of_slots(slots: Sequence[Slot]) -> dict[str, object]:
    return {
        "paths": _texts(slot.path for slot in slots),
        "slot_currencies": _texts(slot.currency for slot in slots),
        "debits": _array(slot.total.debits for slot in slots),
        "credits": _array(slot.total.credits for slot in slots),
        "counts": _array(slot.total.lines for slot in slots),
    }


def _of_transactions(request: Request) -> dict[str, object]:
    entries = request.entries
    return {
        "ids": _array(request.ids),
        "references": _texts(entry.reference for entry in entries),
        "effective": _array(entry.effective_at.isoformat() for entry in entries),
        "descriptions": _texts(entry.description for entry in entries),
        "metadata": _texts(_encode(entry.metadata) for entry in entries),
    }


def _of_lines(plan: Plan) -> dict[str, object]:
    slots, lines = plan.slots, plan.lines
    return {
        "places": _array(line.transaction + 1 for line in lines),
        "slots": _array(line.slot + 1 for line in lines),
        "line_numbers": _array(line.line for line in lines),
        "currencies": _texts(slots[line.slot].currency for line in lines),
        "amounts": _array(line.amount if line.side is Side.DEBIT else -line.amount for line in lines),
        "debits_left": _array(slots[line.slot].total.debits - line.total.debits for line in lines),
        "credits_left": _array(slots[line.slot].total.credits - line.total.credits for line in lines),
        "counts_left": _array(slots[line.slot].total.lines - line.total.lines for line in lines),
    }


def _of_periods(request: Request) -> dict[str, object]:
    added = totals.totals(request)
    today = grains.day_of(request.now)
    recorded_from = {grain: grain.of(today) for grain in Grain}
    return {
        "period_slots": _array(period.slot + 1 for period in added),
        "grains": _array(period.grain for period in added),
        "effective_from": _array(period.effective_from for period in added),
        "recorded_from": _array(recorded_from[period.grain] for period in added),
        "period_debits": _array(total.debits for total in added.values()),
        "period_credits": _array(total.credits for total in added.values()),
        "period_lines": _array(total.lines for total in added.values()),
    }


def _of_terms(request: Request) -> dict[str, object]:
    found = indexing.terms_of(request)
    return {
        "terms": _array(term for term, _ in found),
        "term_places": _array(place + 1 for _, place in found),
    }


def _array(values: Iterable[object]) -> str:
    """Return an array of what needs no quotes, as text.

    A list of integers would go out in the narrowest type for its values, and be prepared for each.
    """
    return "{" + ",".join(map(str, values)) + "}"


def _texts(values: Iterable[str | None]) -> str:
    """Return an array of texts, as text."""
    return "{" + ",".join("NULL" if each is None else _quoted(each) for each in values) + "}"


def _quoted(value: str) -> str:
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


def _encode(metadata: Mapping[str, str]) -> str:
    return json.dumps(dict(metadata), ensure_ascii=False) if metadata else "{}"
