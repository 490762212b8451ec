"""What transactions can be searched for: the parameters, and what the ledger is asked with them."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from myapp.api import errors, fields, schemas, wishes
from myapp.api.request import Request
from myapp.ledger import errors as ledger_errors
from myapp.ledger import model, money, queries

TEXT_LENGTH_MAX = 200

Text = Annotated[
    str,
    Meta(
        pattern=fields.PRINTABLE,
        min_length=1,
        max_length=TEXT_LENGTH_MAX,
        description="Words that all occur in the description, whole, in any order and in any case.",
        examples=["rent january"],
    ),
]


class TransactionsQuery(schemas.PeriodQuery, kw_only=True, rename={"from_": "from"}):
    """All that is given must be met; account, subtree, currency and amounts by one posting together."""

    account: Annotated[fields.AccountPath | None, Meta(description="Transactions with a posting of this account.")] = (
        None
    )
    subtree: Annotated[
        fields.AccountPath | None, Meta(description="Transactions with a posting of this account or of one below it.")
    ] = None
    reference: fields.Reference | None = None
    recorded_from: Annotated[fields.Instant | None, Meta(description="The first recorded time to list.")] = None
    recorded_to: Annotated[fields.Instant | None, Meta(description="The recorded time to stop before.")] = None
    known_at: Annotated[
        fields.Until | None,
        Meta(description="List what was recorded up to and including this time, with the status it had then."),
    ] = None
    status: Annotated[model.Status | None, Meta(description="Transactions in this state.")] = None
    currency: Annotated[
        fields.CurrencyCode | None, Meta(description="Transactions with a posting in this currency.")
    ] = None
    amount_min: Annotated[
        fields.AmountText | None, Meta(description="The least amount of a posting; needs `currency`.")
    ] = None
    amount_max: Annotated[
        fields.AmountText | None, Meta(description="The greatest amount of a posting; needs `currency`.")
    ] = None
    text: Text | None = None
    metadata: dict[fields.MetadataKey, fields.MetadataValue] = msgspec.field(default_factory=dict)


def criteria(request: Request[None, TransactionsQuery]) -> queries.TransactionFilter:
    """Return what the ledger is asked for.

    Raises:
        BadParameter: an amount without a currency or that its currency cannot have, or a text without a word.
    """
    asked = request.asked
    if asked.text is not None and not queries.words_of(asked.text):
        raise errors.BadParameter("The parameter 'text': Expected at least one word; marks alone are not searched for.")
    amount_min, amount_max = _amounts(request)
    return queries.TransactionFilter(
        account=asked.account,
        subtree=asked.subtree,
        reference=asked.reference,
        effective_from=wishes.moment(asked.from_),
        effective_to=wishes.moment(asked.to),
        recorded_from=wishes.moment(asked.recorded_from),
        recorded_to=wishes.moment(asked.recorded_to),
        known_at=wishes.moment(asked.known_at),
        status=asked.status,
        currency=asked.currency,
        amount_min=amount_min,
        amount_max=amount_max,
        text=asked.text,
        metadata=asked.metadata,
    )


def _amounts(request: Request[None, TransactionsQuery]) -> tuple[int | None, int | None]:
    """Return the range of amounts in the currency's smallest unit."""
    asked = request.asked
    given = {"amount_min": asked.amount_min, "amount_max": asked.amount_max}
    if asked.currency is None:
        for name, amount in given.items():
            if amount is not None:
                raise errors.BadParameter(f"The parameter {name!r} needs the parameter 'currency' beside it.")
        return None, None
    if asked.amount_min is None and asked.amount_max is None:
        return None, None
    known = request.registry["myapp.exponents"].of(request.dbsession, request.ledger, {asked.currency})
    if asked.currency not in known:
        raise errors.BadParameter(
            f"The parameter 'currency': the ledger has no {asked.currency!r}, and so no amounts of it; declare it, or "
            "leave the amounts out."
        )
    least, most = (
        None if amount is None else _minor(name, amount, known[asked.currency]) for name, amount in given.items()
    )
    if least is not None and most is not None and least > most:
        raise errors.BadParameter("The parameter 'amount_min' is above 'amount_max', so no amount is between them.")
    return least, most


def _minor(name: str, amount: str, exponent: int) -> int:
    try:
        return money.to_minor(Decimal(amount), exponent)
    except (ledger_errors.AmountPrecision, ledger_errors.AmountOutOfRange) as exc:
        raise errors.BadParameter(f"The parameter {name!r}: {exc}") from exc
