"""What the Flask and Pyramid peers take, checked by hand as an application without a library for it does."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation


class Invalid(ValueError):
    """The body is not what it should be."""


@dataclass(frozen=True)
class Posting:
    """One line; a credit is negative."""

    account: str
    currency: str
    debit: Decimal | None
    credit: Decimal | None

    @property
    def amount(self) -> Decimal:
        return self.debit if self.debit is not None else -(self.credit or Decimal())


def transaction(body: object) -> tuple[str, list[Posting]]:
    """Return the description and the lines of a transaction, which balances."""
    if not isinstance(body, dict) or body.keys() - {"description", "postings"}:
        raise Invalid("the body is an object with description and postings")
    description, wanted = body.get("description", ""), body.get("postings")
    if not isinstance(description, str) or not isinstance(wanted, list) or len(wanted) < 2:
        raise Invalid("a transaction has a description and at least two postings")
    postings = [_posting(each) for each in wanted]
    if sum(posting.amount for posting in postings):
        raise Invalid("debits and credits differ")
    return description, postings


def _posting(body: object) -> Posting:
    if not isinstance(body, dict) or body.keys() - {"account", "currency", "debit", "credit"}:
        raise Invalid("a posting is an object with account, currency and debit or credit")
    account, currency = body.get("account"), body.get("currency")
    if not isinstance(account, str) or not isinstance(currency, str) or len(currency) != 3:
        raise Invalid("a posting has an account and a currency")
    if ("debit" in body) == ("credit" in body):
        raise Invalid("a posting has either a debit or a credit")
    return Posting(account, currency, _amount(body.get("debit")), _amount(body.get("credit")))


def _amount(text: object) -> Decimal | None:
    if text is None:
        return None
    try:
        amount = Decimal(str(text))
    except InvalidOperation as exc:
        raise Invalid("an amount is a number") from exc
    exponent = amount.as_tuple().exponent
    if amount <= 0 or not isinstance(exponent, int) or exponent < -2:
        raise Invalid("an amount is above zero and has two digits after the point")
    return amount
