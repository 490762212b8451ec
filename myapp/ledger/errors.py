"""The ledger's refusals: one class per situation, each with the stable code of the HTTP contract.

    LedgerError
    ├── NotFound                  not-found
    ├── AlreadyExists             already-exists
    ├── PreconditionFailed        precondition-failed
    ├── IdempotencyMismatch       idempotency-mismatch
    ├── IdempotencyInProgress     idempotency-in-progress
    ├── MissingPrice              missing-price
    ├── NotSealed                 not-sealed
    ├── Unsealable                unsealable, on the command line alone
    └── Refusal                   what is wrong with one transaction or account, and where
        ├── InvalidValue          validation-failed
        ├── InvalidTransaction    validation-failed
        ├── UnknownCurrency       unknown-currency
        ├── AmountPrecision       amount-precision
        ├── AmountOutOfRange      amount-out-of-range
        ├── UnbalancedTransaction unbalanced-transaction
        ├── UnknownAccount        unknown-account
        ├── AccountClosed         account-closed
        ├── CurrencyNotAllowed    currency-not-allowed
        ├── PeriodLocked          period-locked
        ├── DuplicateReference    duplicate-reference
        ├── UnknownHold           not-found
        ├── NotPending            not-pending
        ├── ExceedsHold           exceeds-hold
        ├── UnknownOriginal       not-found
        ├── NotPosted             not-posted
        ├── AlreadyReversed       already-reversed
        ├── ConditionFailed       condition-failed
        ├── InsufficientFunds     insufficient-funds
        └── LimitExceeded         limit-exceeded

A refusal is raised in the middle of a unit of work: the caller must roll it back, as the request and
`session_scope` do for any exception.
"""

from __future__ import annotations

from typing import Self
from uuid import UUID

from myapp import errors


class LedgerError(errors.MyappError):
    """The ledger refuses what was asked."""


class NotFound(LedgerError):
    """There is no such ledger, account or transaction."""

    code = "not-found"


class AlreadyExists(LedgerError):
    """Something else already has this name, path or code."""

    code = "already-exists"


class PreconditionFailed(LedgerError):
    """The thing has changed since the caller read it."""

    code = "precondition-failed"


class IdempotencyMismatch(LedgerError):
    """The key was used before with another request."""

    code = "idempotency-mismatch"


class IdempotencyInProgress(LedgerError):
    """A request with the same key has not ended yet."""

    code = "idempotency-in-progress"


class MissingPrice(LedgerError):
    """A report is to be valued, and nothing says what a currency is worth."""

    code = "missing-price"


class NotSealed(LedgerError):
    """The transaction is in no sealed epoch yet."""

    code = "not-sealed"


class Unsealable(LedgerError):
    """An event that should be sealed is not there."""

    code = "unsealable"


class Refusal(LedgerError):
    """One transaction or account cannot be accepted.

    `index` is the transaction's place in the batch and `line` the posting's place in the transaction, both
    from zero; None where the fault is not of one of them. `member` is the part of an account that is at fault, by the
    names and places that lead to it: ("limits", "USD", "min"); empty where it is not of an account.
    """

    def __init__(
        self,
        detail: str,
        *,
        index: int | None = None,
        line: int | None = None,
        transaction_id: UUID | None = None,
    ) -> None:
        super().__init__(detail)
        self.index = index
        self.line = line
        self.transaction_id = transaction_id
        self.member: tuple[str, ...] = ()

    def at(self, index: int, line: int) -> Self:
        """Say where in the request the fault is."""
        self.index = index
        self.line = line
        return self

    def within(self, *member: str) -> Self:
        """Say which part of the account the fault is in."""
        self.member = member
        return self


class InvalidValue(Refusal):
    """A name, code, exponent or limit that no ledger could have."""

    code = "validation-failed"


class InvalidTransaction(Refusal):
    """The transaction has no sense by itself: too few postings, or an amount not above zero."""

    code = "validation-failed"


class UnknownCurrency(Refusal):
    """Neither ISO 4217 nor declared in this ledger."""

    code = "unknown-currency"


class AmountPrecision(Refusal):
    """More decimal digits than the currency has."""

    code = "amount-precision"


class AmountOutOfRange(Refusal):
    """An amount, a sum or a counter does not fit in 64 bits."""

    code = "amount-out-of-range"


class UnbalancedTransaction(Refusal):
    """Debits and credits differ in a currency."""

    code = "unbalanced-transaction"


class UnknownAccount(Refusal):
    """The ledger has no account with this path."""

    code = "unknown-account"


class AccountClosed(Refusal):
    """The account takes no more postings."""

    code = "account-closed"


class CurrencyNotAllowed(Refusal):
    """The account was opened for other currencies."""

    code = "currency-not-allowed"


class PeriodLocked(Refusal):
    """The effective time lies in a period that is closed."""

    code = "period-locked"


class DuplicateReference(Refusal):
    """Another transaction of the ledger has this reference; `transaction_id` names it where it is recorded."""

    code = "duplicate-reference"


class UnknownHold(Refusal):
    """There is no transaction with this id to be posted or voided."""

    code = "not-found"


class NotPending(Refusal):
    """The transaction is no hold, or the hold was posted, voided or has expired."""

    code = "not-pending"


class ExceedsHold(Refusal):
    """More than what remains of the hold, or something that it does not hold."""

    code = "exceeds-hold"


class UnknownOriginal(Refusal):
    """There is no transaction with this id to be reversed."""

    code = "not-found"


class NotPosted(Refusal):
    """Nothing of the transaction is posted, so there is nothing to reverse."""

    code = "not-posted"


class AlreadyReversed(Refusal):
    """The transaction was reversed before; `transaction_id` names its reversal."""

    code = "already-reversed"


class ConditionFailed(Refusal):
    """An account is not as the posting's condition asks."""

    code = "condition-failed"


class OutOfLimits(Refusal):
    """An account would not be within its limits; `account` is its path."""

    def __init__(self, detail: str, *, account: str) -> None:
        super().__init__(detail)
        self.account = account


class InsufficientFunds(OutOfLimits):
    """An account would fall below its minimum."""

    code = "insufficient-funds"


class LimitExceeded(OutOfLimits):
    """An account would rise above its maximum."""

    code = "limit-exceeded"
