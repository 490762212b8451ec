"""Turn the ledger's values into what the API answers: amounts as text with the currency's digits, times in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import UNSET

from myapp.api import schemas
from myapp.ledger import model, money, verify

Exponents = Mapping[str, int]


def ledger(of: model.LedgerDetails) -> schemas.Ledger:
    return schemas.Ledger(
        name=of.name, metadata=_metadata(of.metadata), locked_before=of.locked_before, created_at=of.created_at
    )


def currency(of: model.Currency) -> schemas.Currency:
    return schemas.Currency(code=of.code, exponent=of.exponent)


def account_currencies(accounts: Iterable[model.Account]) -> set[str]:
    """Return the codes whose exponents are needed to answer with these accounts."""
    return {code for account in accounts for code in (*account.limits, *account.balances)}


def account(of: model.Account, exponents: Exponents) -> schemas.Account:
    return schemas.Account(
        path=of.path,
        type=of.type,
        closed=of.closed_at is not None,
        currencies=None if of.currencies is None else list(of.currencies),
        limits={code: _limits(limits, exponents[code]) for code, limits in of.limits.items()},
        metadata=_metadata(of.metadata),
        balances=balances(of.balances, of.type.normal_side, exponents),
        versions=dict(of.balance_versions),
    )


def balances(
    of: Mapping[str, model.Counters], normal_side: model.Side, exponents: Exponents
) -> dict[str, schemas.Balance]:
    return {code: _balance(counters, normal_side, exponents[code]) for code, counters in of.items()}


def transaction_currencies(transactions: Iterable[model.Transaction]) -> set[str]:
    """Return the codes whose exponents are needed to answer with these transactions."""
    return {posting.currency for transaction in transactions for posting in transaction.postings}


def transaction(of: model.Transaction, exponents: Exponents) -> schemas.Transaction:
    # What a last post gives back is no part of what it posts.
    is_post = of.status is model.Status.POSTED
    released = [posting for posting in of.postings if is_post and posting.effect is model.Effect.RELEASED]
    return schemas.Transaction(
        id=of.id,
        status=of.status,
        reference=of.reference,
        description=of.description,
        effective_at=of.effective_at,
        recorded_at=of.recorded_at,
        expires_at=of.expires_at,
        pending_of=of.pending_of,
        posted_by=list(of.posted_by),
        reverses=of.reverses,
        reversed_by=of.reversed_by,
        metadata=_metadata(of.metadata),
        postings=[_posting(posting, exponents[posting.currency]) for posting in of.postings if posting not in released],
        released=[_posting(posting, exponents[posting.currency]) for posting in released] or UNSET,
    )


def batch_ids(transactions: Sequence[model.Transaction]) -> schemas.BatchIds:
    return schemas.BatchIds(items=[schemas.BatchItem(id=each.id, reference=each.reference) for each in transactions])


def statement_line(of: model.StatementLine, exponents: Exponents) -> schemas.StatementLine:
    exponent = exponents[of.currency]
    amount = money.to_text(of.amount_minor, exponent)
    return schemas.StatementLine(
        transaction=schemas.StatementTransaction(
            id=of.transaction_id,
            reference=of.reference,
            description=of.description,
            effective_at=of.effective_at,
            recorded_at=of.recorded_at,
        ),
        line=of.line,
        currency=of.currency,
        debit=amount if of.side is model.Side.DEBIT else UNSET,
        credit=amount if of.side is model.Side.CREDIT else UNSET,
        balance=money.to_text(of.balance_minor, exponent),
    )


def verification(checks: Sequence[verify.Check]) -> schemas.Verification:
    return schemas.Verification(
        holds=all(check.holds for check in checks),
        checks=[
            schemas.Check(
                name=check.name,
                holds=check.holds,
                compared=dict(check.compared),
                violations=list(check.violations),
            )
            for check in checks
        ],
    )


def _metadata(of: Mapping[str, str]) -> dict[str, str]:
    """Return it sorted by name: databases keep it in orders of their own, and a repeated answer is the same bytes."""
    return dict(sorted(of.items()))


def _limits(of: model.Limits, exponent: int) -> schemas.Limits:
    return schemas.Limits(
        min=UNSET if of.min_minor is None else money.to_text(of.min_minor, exponent),
        max=UNSET if of.max_minor is None else money.to_text(of.max_minor, exponent),
    )


def _balance(of: model.Counters, normal_side: model.Side, exponent: int) -> schemas.Balance:
    return schemas.Balance(
        debits=money.to_text(of.debits_posted, exponent),
        credits=money.to_text(of.credits_posted, exponent),
        balance=money.to_text(of.balance(normal_side), exponent),
        pending_debits=money.to_text(of.debits_pending, exponent),
        pending_credits=money.to_text(of.credits_pending, exponent),
        available=money.to_text(of.available(normal_side), exponent),
    )


def _posting(of: model.Posting, exponent: int) -> schemas.Posting:
    normal_side = of.account_type.normal_side
    amount = money.to_text(of.amount_minor, exponent)
    return schemas.Posting(
        account=of.account,
        currency=of.currency,
        debit=amount if of.side is model.Side.DEBIT else UNSET,
        credit=amount if of.side is model.Side.CREDIT else UNSET,
        balance=money.to_text(of.counters.balance(normal_side), exponent),
        available=money.to_text(of.counters.available(normal_side), exponent),
        version=of.balance_version,
        remaining=UNSET if of.remaining_minor is None else money.to_text(of.remaining_minor, exponent),
    )
