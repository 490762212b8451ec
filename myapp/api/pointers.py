"""Where in the body a refusal of the ledger points: the JSON Pointer (RFC 6901) of the member at fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UNSET

from myapp.api import schemas
from myapp.api.bank import schemas as bank_schemas
from myapp.api.exchange import deeds
from myapp.api.holds import schemas as holds_schemas
from myapp.ledger import errors

AMOUNT = "amount"

# The member of the posting, by the code; other codes mean the posting as a whole.
POSTING_MEMBERS: Mapping[str, str] = {
    errors.AmountPrecision.code: AMOUNT,
    errors.AmountOutOfRange.code: AMOUNT,
    errors.InvalidTransaction.code: AMOUNT,
    errors.UnknownCurrency.code: "currency",
    errors.CurrencyNotAllowed.code: "currency",
    errors.UnknownAccount.code: "account",
    errors.AccountClosed.code: "account",
    errors.ExceedsHold.code: AMOUNT,
    errors.ConditionFailed.code: "if",
}

# The member of the transaction, where no posting alone is at fault.
TRANSACTION_MEMBERS: Mapping[str, str] = {
    errors.InvalidTransaction.code: "postings",
    errors.UnbalancedTransaction.code: "postings",
    errors.DuplicateReference.code: "reference",
    errors.PeriodLocked.code: "effective_at",
}

# What may exist already, by the body that asks for it.
NAMES: Mapping[type, str] = {
    schemas.NewLedger: "/name",
    schemas.NewCurrency: "/exponent",
    schemas.NewAccount: "/path",
}


def of_refusal(refusal: errors.Refusal, wanted: object) -> str:
    """Return the pointer into the body; empty where the fault is of the body as a whole."""
    match wanted:
        case schemas.NewBatch(transactions=group):
            return _in_group("transactions", refusal, group)
        case holds_schemas.HoldsPost(holds=group) | holds_schemas.HoldsVoid(holds=group):
            return _in_group("holds", refusal, group)
        case deeds.Deeds(deeds=group) if refusal.index is not None:
            deed = group[refusal.index]
            return f"/deeds/{refusal.index}/{deed.kind}{_in_transaction(refusal, deed.what)}"
        case schemas.NewTransaction() | holds_schemas.Remark() | bank_schemas.Missing():
            return _in_transaction(refusal, wanted)
        case _:
            return "".join(f"/{step}" for step in refusal.member)


def _in_group(name: str, refusal: errors.Refusal, group: Sequence[object]) -> str:
    if refusal.index is None:
        return f"/{name}"
    return f"/{name}/{refusal.index}{_in_transaction(refusal, group[refusal.index])}"


def of_name(wanted: object) -> str:
    """Return the pointer to what exists already."""
    return NAMES.get(type(wanted), "")


def _in_transaction(refusal: errors.Refusal, wanted: object) -> str:
    if refusal.member:
        return "".join(f"/{step}" for step in refusal.member)
    postings = getattr(wanted, "postings", None)
    if refusal.line is None or postings is None:
        member = TRANSACTION_MEMBERS.get(refusal.code)
        return f"/{member}" if member and hasattr(wanted, member) else ""
    member = POSTING_MEMBERS.get(refusal.code)
    if member == AMOUNT:
        member = "credit" if postings[refusal.line].debit is UNSET else "debit"
    return f"/postings/{refusal.line}" + (f"/{member}" if member else "")
