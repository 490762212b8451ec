"""Turn what a client asked for into the ledger's values: amounts become exact decimals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from msgspec import UNSET, UnsetType

from myapp.api import fields, schemas
from myapp.api.holds import schemas as holds_schemas
from myapp.ledger import model


def moment(of: fields.Instant | None) -> datetime | None:
    return None if of is None else of.at


def account(of: schemas.NewAccount) -> model.NewAccount:
    return model.NewAccount(
        path=of.path,
        type=of.type,
        currencies=of.currencies,
        limits={code: _limits(limits) for code, limits in of.limits.items()},
        metadata=of.metadata,
    )


def account_change(of: schemas.AccountChange) -> model.AccountChange:
    return model.AccountChange(
        limits=_changed_limits(of.limits),
        metadata=None if of.metadata is UNSET else of.metadata,
        closed=None if of.closed is UNSET else of.closed,
    )


def transaction(of: schemas.NewTransaction) -> model.NewTransaction:
    return model.NewTransaction(
        postings=[_posting(posting) for posting in of.postings],
        reference=of.reference,
        description=of.description,
        effective_at=moment(of.effective_at),
        metadata=of.metadata,
        pending=of.pending,
        expires_at=moment(of.expires_at),
    )


def hold_post(hold_id: UUID, of: holds_schemas.HoldPost) -> model.HoldPost:
    return model.HoldPost(
        hold_id=hold_id,
        postings=None if of.postings is None else [_posting(posting) for posting in of.postings],
        final=of.final,
        reference=of.reference,
        description=of.description,
        effective_at=moment(of.effective_at),
        metadata=of.metadata,
    )


def reversal(transaction_id: UUID, of: holds_schemas.Remark) -> model.NewReversal:
    return model.NewReversal(
        transaction_id=transaction_id,
        reference=of.reference,
        description=of.description,
        effective_at=moment(of.effective_at),
        metadata=of.metadata,
    )


def ledger_change(of: schemas.LedgerChange) -> model.LedgerChange:
    return model.LedgerChange(
        metadata=None if of.metadata is UNSET else of.metadata,
        moves_period=of.locked_before is not UNSET,
        locked_before=None if of.locked_before is UNSET else moment(of.locked_before),
    )


def _posting(of: schemas.HeldPosting) -> model.NewPosting:
    is_debit = of.debit is not UNSET
    return model.NewPosting(
        account=of.account,
        currency=of.currency,
        side=model.Side.DEBIT if is_debit else model.Side.CREDIT,
        # The schema lets exactly one of the two be there.
        amount=Decimal(str(of.debit if is_debit else of.credit)),
        condition=_condition(of.if_) if isinstance(of, schemas.NewPosting) else None,
    )


def _condition(of: schemas.Condition | None) -> model.Condition | None:
    if of is None:
        return None
    least = None if of.min_available is None else Decimal(of.min_available)
    return model.Condition(version=of.version, min_available=least)


def _limits(of: schemas.NewLimits) -> model.NewLimits:
    return model.NewLimits(
        min=None if of.min is None else Decimal(of.min),
        max=None if of.max is None else Decimal(of.max),
    )


def _changed_limits(
    of: Mapping[str, schemas.NewLimits | None] | UnsetType,
) -> Mapping[str, model.NewLimits | None] | None:
    if of is UNSET:
        return None
    return {code: None if limits is None else _limits(limits) for code, limits in of.items()}
