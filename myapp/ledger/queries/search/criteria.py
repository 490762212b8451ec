"""What transactions are searched for."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime

from myapp.ledger import ids, terms
from myapp.ledger.model import Status
from myapp.ledger.queries import spans
from myapp.ledger.queries.search.span import Span


@dataclass(frozen=True, kw_only=True)
class TransactionFilter:
    """Which transactions to list: those that meet all of it; None asks for nothing.

    `effective_to` and `recorded_to` are exclusive. `subtree` is an account with all below it. Account, subtree,
    currency and amounts are met by one posting together. Amounts are in the smallest unit of `currency`, both ends
    included. Each word of `text` occurs in the description, in any order. With `known_at`, inclusive, what was recorded
    later is not there, and the status is the one that was known then.
    """

    account: str | None = None
    subtree: str | None = None
    reference: str | None = None
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    recorded_from: datetime | None = None
    recorded_to: datetime | None = None
    known_at: datetime | None = None
    status: Status | None = None
    currency: str | None = None
    amount_min: int | None = None
    amount_max: int | None = None
    text: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.currency is None and self.asks_for_amounts:
            raise ValueError("An amount means nothing without its currency; give `currency` as well.")

    @property
    def is_open(self) -> bool:
        """Say whether it asks for nothing but a time of recording."""
        asked = (self.account, self.subtree, self.reference, self.status, self.currency, self.text)
        return not self.asks_for_a_period and not self.metadata and all(each is None for each in asked)

    @property
    def asks_for_amounts(self) -> bool:
        return self.amount_min is not None or self.amount_max is not None

    @property
    def asks_for_a_period(self) -> bool:
        return self.effective_from is not None or self.effective_to is not None

    @functools.cached_property
    def words(self) -> Set[str]:
        """The words that are to occur in the description."""
        return frozenset() if self.text is None else terms.words(self.text)

    @functools.cached_property
    def terms(self) -> Sequence[int]:
        """What it is kept under in `transaction_terms`."""
        entries = {terms.of_entry(key, value) for key, value in self.metadata.items()}
        return sorted(entries | {terms.of_word(word) for word in self.words})

    @property
    def span(self) -> Span:
        """The ids of what was recorded in the time asked for, and known."""
        span = Span(
            since=None if self.recorded_from is None else ids.first_id(self.recorded_from),
            before=None if self.recorded_to is None else ids.first_id(self.recorded_to),
        )
        return span.up_to(None if self.known_at is None else ids.first_id(self.known_at + spans.TICK))

    def is_met_by(self, description: str | None, metadata: Mapping[str, str]) -> bool:
        """Say whether the text is what was asked for; two terms may share a number."""
        return all(metadata.get(key) == value for key, value in self.metadata.items()) and (
            not self.words or self.words <= terms.words(description or "")
        )
