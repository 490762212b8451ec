"""Turn what a client asked for into the ledger's values: amounts become exact decimals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from msgspec import UNSET, UnsetType

from myapp.api import fields, schemas
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
    )


def _posting(of: schemas.NewPosting) -> model.NewPosting:
    if of.debit is not UNSET:
        return model.NewPosting(
            account=of.account, currency=of.currency, side=model.Side.DEBIT, amount=Decimal(of.debit)
        )
    # The schema lets exactly one of the two be there.
    return model.NewPosting(
        account=of.account, currency=of.currency, side=model.Side.CREDIT, amount=Decimal(str(of.credit))
    )


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
