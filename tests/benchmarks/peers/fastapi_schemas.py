"""What the FastAPI peers take and answer, in pydantic's models."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Amount = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=2)]


class WantedPosting(BaseModel):
    """One line, a debit or a credit."""

    model_config = ConfigDict(extra="forbid")

    account: str
    currency: Annotated[str, Field(min_length=3, max_length=3)]
    debit: Amount | None = None
    credit: Amount | None = None

    @property
    def amount(self) -> Decimal:
        return self.debit if self.debit is not None else -(self.credit or Decimal())

    @model_validator(mode="after")
    def has_one_side(self) -> Self:
        if (self.debit is None) == (self.credit is None):
            raise ValueError("a posting has either a debit or a credit")
        return self


class WantedTransaction(BaseModel):
    """A transaction, which balances."""

    model_config = ConfigDict(extra="forbid")

    description: str = ""
    postings: Annotated[list[WantedPosting], Field(min_length=2)]

    @model_validator(mode="after")
    def is_balanced(self) -> Self:
        if sum(posting.amount for posting in self.postings):
            raise ValueError("debits and credits differ")
        return self


class RecordedPosting(BaseModel):
    """One line, with the balance it led to."""

    account: str
    amount: Decimal
    balance: Decimal


class Recorded(BaseModel):
    """A recorded transaction."""

    id: str
    description: str
    postings: list[RecordedPosting]


class AccountBalance(BaseModel):
    """The balance of an account."""

    account: str
    balance: Decimal
