"""The statement of one account for a period. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from myapp.ledger.model import AccountType, StatementLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A currency of an account: what it began with, what was posted to each side, what it came to.

    Units: smallest ones; `opening` and `closing` in the account's normal direction.
    """

    opening: int
    debits: int
    credits: int
    closing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatement:
    """What happened to an account; `flows` are of the whole period, whichever of its lines are shown."""

    path: str
    type: AccountType
    flows: Mapping[str, Flow]
    lines: Sequence[StatementLine]
