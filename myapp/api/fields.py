"""The kinds of values that cross the wire, each with what a client is told when one is wrong.

A pattern is matched with `re`, where `$` also matches before a last line feed: so every pattern ends in `\\Z`, which
the published document spells `$`. Patterns are read back by `advice`, so each is a constant of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Self

from msgspec import Meta

from myapp.ledger import bank, model, words

# No NUL: PostgreSQL cannot store it.
PRINTABLE = r"^[^\x00]*\Z"
NAME = rf"^{words.LEDGER_NAME}\Z"
CURRENCY = rf"^{words.CURRENCY_CODE}\Z"
PATH = rf"^{words.ACCOUNT_PATH}\Z"
PREFIX = rf"^{words.ACCOUNT_PATH}:?\Z"

_DIGITS = r"[0-9]{1,40}(?:\.[0-9]{1,20})?"
AMOUNT = rf"^(?!0+(?:\.0+)?\Z){_DIGITS}\Z"
BOUND = rf"^-?{_DIGITS}\Z"
PRICE = rf"^{_DIGITS}\Z"

_MONTH = r"(?:0[1-9]|1[0-2])"
_DAY = rf"(?:{_MONTH}-(?:0[1-9]|[12][0-9])|(?!02){_MONTH}-30|(?:0[13578]|1[02])-31)"
_DATE = rf"(?!9999)[1-9][0-9]{{3}}-{_DAY}"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
_ZONE = r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
INSTANT = rf"^{_DATE}(?:T{_TIME}{_ZONE})?\Z"

BASE64URL = r"^[A-Za-z0-9_-]*\Z"
JSON_OR_CSV = r"^(?:json|csv)\Z"
URL = r"^https?://(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?(?:[/?][!-~]*)?\Z"

_EVENT_TYPE = "|".join(re.escape(each.value) for each in model.EventType)
EVENT_TYPE = rf"^(?:{_EVENT_TYPE})\Z"
EVENT_TYPES = rf"^(?:{_EVENT_TYPE})(?:,(?:{_EVENT_TYPE}))*\Z"

A_DAY = timedelta(days=1)
A_MICROSECOND = timedelta(microseconds=1)
YEAR_FIRST = 1000
YEAR_LAST = 9998

PATH_LENGTH_MAX = words.PATH_LENGTH_MAX
METADATA_ENTRIES_MAX = 50

_AN_AMOUNT = 'a decimal string above zero with at most 40 digits and 20 decimals, such as "12.50"'
_AN_INSTANT = (
    "a time with its offset (2026-01-31T12:00:00Z) or a date (2026-01-31, its {} instant in UTC), "
    f"from the year {YEAR_FIRST} to {YEAR_LAST}"
)

ADVICE = {
    PRINTABLE: "a string without the character U+0000",
    NAME: "1 to 100 letters, digits, dots, dashes or underscores, starting with a letter or a digit",
    CURRENCY: 'a code of 1 to 24 capital letters, digits or \'._- that starts with a letter, such as "USD"',
    PATH: 'a path of names joined by colons, such as "assets:bank:checking"',
    BASE64URL: "what `next` said on the page before",
    PREFIX: 'the beginning of a path, such as "assets:"',
    URL: "an address such as https://shop.example/hooks",
    EVENT_TYPE: f"one of {', '.join(model.EventType)}",
    EVENT_TYPES: f"one or more, with commas between them, of {', '.join(model.EventType)}",
    AMOUNT: _AN_AMOUNT,
    PRICE: 'a decimal string, not negative, with at most 40 digits and 20 decimals, such as "1.0850"',
    JSON_OR_CSV: "json or csv",
    BOUND: 'a decimal string with at most 40 digits and 20 decimals, such as "1000.00" or "-50.00"',
}

# By the name of the member or parameter.
CHOICES = {
    "type": tuple(model.AccountType),
    "status": tuple(model.Status),
    "state": tuple(bank.State),
    "format": ("beancount", "hledger", "csv", "ndjson"),
    "outcome": ("voided", "expired"),
}

LedgerName = Annotated[str, Meta(pattern=NAME, description="The ledger's name.", examples=["shop"])]
CurrencyCode = Annotated[str, Meta(pattern=CURRENCY, description="The currency's code.", examples=["USD"])]
AccountPath = Annotated[
    str,
    Meta(
        pattern=PATH,
        max_length=PATH_LENGTH_MAX,
        description="Names joined by colons, from the widest to the narrowest.",
        examples=["assets:cash"],
    ),
]
PathPrefix = Annotated[
    str,
    Meta(pattern=PREFIX, max_length=PATH_LENGTH_MAX, description="How the paths begin.", examples=["assets:"]),
]
AmountText = Annotated[
    str, Meta(pattern=AMOUNT, description="Above zero, in the currency's own unit.", examples=["12.50"])
]
BoundText = Annotated[str, Meta(pattern=BOUND, description="In the currency's own unit.", examples=["0.00"])]
PriceText = Annotated[
    str,
    Meta(
        pattern=PRICE, description="What one unit of the currency is worth in units of the other.", examples=["1.0850"]
    ),
]
Moment = Annotated[datetime, Meta(tz=True, description="In UTC.", examples=["2026-01-31T12:00:00Z"])]
Money = Annotated[str, Meta(description="With exactly the currency's digits.", examples=["12.50"])]
Reference = Annotated[
    str,
    Meta(
        pattern=PRINTABLE,
        min_length=1,
        max_length=200,
        description="Your own name for the transaction, unique in the ledger.",
        examples=["order-1234"],
    ),
]
Description = Annotated[str, Meta(pattern=PRINTABLE, max_length=1000, examples=["Sale"])]
MetadataKey = Annotated[str, Meta(pattern=PRINTABLE, min_length=1, max_length=100)]
MetadataValue = Annotated[str, Meta(pattern=PRINTABLE, max_length=1000)]
Metadata = Annotated[
    dict[MetadataKey, MetadataValue],
    Meta(
        max_length=METADATA_ENTRIES_MAX,
        description="Your own notes: at most 50 strings by name.",
        examples=[{"order": "1234"}],
    ),
]
Exponent = Annotated[
    int,
    Meta(
        ge=0, le=words.EXPONENT_MAX, description="Decimal digits of the currency: 2 for USD, 0 for JPY.", examples=[4]
    ),
]
WebhookUrl = Annotated[
    str,
    Meta(
        pattern=URL,
        max_length=2000,
        description="Where events are sent; https, and an address of the open internet.",
        examples=["https://shop.example/hooks"],
    ),
]
EventTypeName = Annotated[str, Meta(pattern=EVENT_TYPE, examples=["transaction.posted"])]
EventSeq = Annotated[int, Meta(ge=0, le=2**63 - 1, examples=[17])]
Limit = Annotated[int, Meta(ge=1, le=1000, description="How many to return at most.")]
Cursor = Annotated[
    str,
    Meta(
        pattern=BASE64URL,
        min_length=1,
        max_length=2000,
        description="`next` of the page before.",
        examples=["WyJhY2NvdW50cyIsImEiXQ"],
    ),
]


class Instant:
    """A time as clients may write it: RFC 3339, or a date for its first instant in UTC; `at` is aware, in UTC."""

    __slots__ = ("at",)

    which_of_a_date: ClassVar = "first"

    def __init__(self, at: datetime) -> None:
        self.at = at

    @classmethod
    def parse(cls, text: object) -> Self:
        """Return the instant; digits beyond microseconds are cut off.

        Raises:
            ValueError: it is none; the message says what to send.
        """
        expected = _AN_INSTANT.format(cls.which_of_a_date)
        if not isinstance(text, str) or not re.match(INSTANT, text):
            raise ValueError(f"Expected {expected}")
        try:
            parsed = datetime.fromisoformat(text)
            at = cls._of_date(parsed) if parsed.tzinfo is None else parsed.astimezone(UTC)
        except (ValueError, OverflowError) as exc:
            raise ValueError(f"No such time; expected {expected}") from exc
        if not YEAR_FIRST <= at.year <= YEAR_LAST:
            raise ValueError(f"Expected {expected}")
        return cls(at)

    @staticmethod
    def _of_date(date: datetime) -> datetime:
        return date.replace(tzinfo=UTC)


class Until(Instant):
    """A time up to which something counts: as Instant, but a date is its last instant."""

    __slots__ = ()

    which_of_a_date: ClassVar = "last"

    @staticmethod
    def _of_date(date: datetime) -> datetime:
        return date.replace(tzinfo=UTC) + A_DAY - A_MICROSECOND


INSTANTS: Mapping[object, type[Instant]] = {kind: kind for kind in (Instant, Until)}

# In these, None is without end.
At = Annotated[Until | None, Meta(description="Count what is effective up to and including this time.")]
KnownAt = Annotated[Until | None, Meta(description="Count what was recorded up to and including this time.")]


def _instant_schema(kind: type[Instant]) -> dict[str, object]:
    return {
        "type": "string",
        "pattern": INSTANT,
        "description": f"A time with its offset, or a date for its {kind.which_of_a_date} instant in UTC.",
        "examples": ["2026-01-31T12:00:00Z", "2026-01-31"],
    }


def decode_custom(kind: type, value: object) -> object:
    """Turn a JSON value into one of the types of this module, for msgspec."""
    if kind in INSTANTS:
        return INSTANTS[kind].parse(value)
    raise NotImplementedError(kind)


def encode_custom(value: object) -> object:
    """Turn one of the types of this module into what msgspec can encode."""
    if isinstance(value, Instant):
        return value.at.isoformat()
    raise NotImplementedError(type(value))


def describe_custom(kind: type) -> dict[str, object]:
    """Return the JSON schema of one of the types of this module, for msgspec."""
    if kind in INSTANTS:
        return _instant_schema(INSTANTS[kind])
    raise NotImplementedError(kind)
