"""What each account comes to: the figures that every report is made of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from myapp.ledger.model import AccountType


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """An account with its debits less its credits by currency, in smallest units; nothing below it is in there."""

    path: str
    type: AccountType
    nets: Mapping[str, int]
