"""Record in one statement on plain PostgreSQL: one round trip for one transaction and for ten thousand.

The text of the statement never changes, so the driver prepares it; what differs goes in as arrays. See
ledger/sql/record.sql.
"""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy.orm import Session

from myapp.ledger import idempotency
from myapp.ledger.columns import AnyRow
from myapp.ledger.model import AccountType, Side
from myapp.ledger.plan import Plan, Slot
from myapp.ledger.recording import limits, parties, refusals, steps
from myapp.ledger.recording.request import Balance, Key, Place, Request

PARAMETER = re.compile(r"%\((\w+)\)s")


def _compact(text: str) -> tuple[str, Mapping[str, str]]:
    """Return the statement as short as it can be said, and the short name of each parameter.

    The driver parses a text anew each time it runs, unless it is at most 4,096 characters long; for this one that
    would be a good part of the work.
    """
    text = " ".join(re.sub(r"--.*", "", text).split())
    text = re.sub(r" ?([(),=<>+*-]) ?", r"\1", text)
    names = {name: str(number) for number, name in enumerate(dict.fromkeys(PARAMETER.findall(text)))}
    return PARAMETER.sub(lambda found: f"%({names[found[1]]})s", text), names


RECORD, NAMES = _compact(importlib.resources.files("myapp.ledger").joinpath("sql/record.sql").read_text())


def record(session: Session, request: Request) -> Sequence[Place] | None:
    """Record the request and return where each slot's postings went, or None where its idempotency key is in use.

    Raises:
        Refusal: see docs/ledger.md, "Refusals".
    """
    if not request.plan.fits:
        # What does not fit in 64 bits cannot be sent, but what else is wrong comes first; the steps find out.
        return steps.record(session, request)
    row = session.connection().exec_driver_sql(RECORD, _parameters(request)).one()
    if not row.is_ours:
        return None
    slots = request.plan.slots
    if row.account_count < len(slots):
        parties.check(request, parties.read(session, request))
        raise refusals.gone()
    if row.transaction_count < len(request.wanted):
        raise refusals.duplicate(session, request) or refusals.gone()
    keys = [Key(account_id, slot.currency) for account_id, slot in zip(row.ids, slots, strict=True)]
    moved = _balances(row)
    parties.check_again(session, request, [moved.get(key) for key in keys])
    if len(moved) < len(slots):
        raise refusals.overflow(session, request, keys, moved.keys()) or refusals.gone()
    places = [Place(AccountType(of), moved[key]) for of, key in zip(row.types, keys, strict=True)]
    limits.check(request, places)
    return places


def _balances(row: AnyRow) -> Mapping[Key, Balance]:
    if not row.balance_count:
        return {}
    columns = (
        row.account_ids,
        row.currencies,
        row.debits_posted,
        row.credits_posted,
        row.debits_pending,
        row.credits_pending,
        row.versions,
        row.net_mins,
        row.net_maxs,
        row.closed,
    )
    return {Key(*values[:2]): Balance(*values) for values in zip(*columns, strict=True)}


def _parameters(request: Request) -> dict[str, object]:
    parts = (_of_request(request), _of_slots(request.plan.slots), _of_transactions(request), _of_lines(request.plan))
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
        "new_currencies": list(request.first_used),
        "new_exponents": _integers(request.first_used.values()),
        "effective_min": min(request.effective),
        "slot_count": len(request.plan.slots),
        "transaction_count": len(request.wanted),
    }


def _of_slots(slots: Sequence[Slot]) -> dict[str, object]:
    return {
        "paths": [slot.path for slot in slots],
        "slot_currencies": [slot.currency for slot in slots],
        "debits": _integers(slot.debits for slot in slots),
        "credits": _integers(slot.credits for slot in slots),
        "counts": _integers(slot.count for slot in slots),
    }


def _of_transactions(request: Request) -> dict[str, object]:
    return {
        "ids": list(request.ids),
        "references": [wanted.reference for wanted in request.wanted],
        "effective": list(request.effective),
        "descriptions": [wanted.description for wanted in request.wanted],
        "metadata": [json.dumps(dict(wanted.metadata), ensure_ascii=False) for wanted in request.wanted],
    }


def _of_lines(plan: Plan) -> dict[str, object]:
    slots, lines = plan.slots, plan.lines
    return {
        "places": _integers(line.transaction + 1 for line in lines),
        "slots": _integers(line.slot + 1 for line in lines),
        "line_numbers": _integers(line.line for line in lines),
        "currencies": [slots[line.slot].currency for line in lines],
        "amounts": _integers(line.amount if line.side is Side.DEBIT else -line.amount for line in lines),
        "debits_left": _integers(slots[line.slot].debits - line.debits for line in lines),
        "credits_left": _integers(slots[line.slot].credits - line.credits for line in lines),
        "counts_left": _integers(slots[line.slot].count - line.nth for line in lines),
    }


def _integers(values: Iterable[int]) -> str:
    """Return an array as text: a list would go out in the narrowest type for its values, and be prepared for each."""
    return "{" + ",".join(map(str, values)) + "}"
