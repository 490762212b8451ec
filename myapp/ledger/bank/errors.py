"""What is refused of bank lines.

LedgerError
├── AlreadyMatched    already-matched
├── NothingProposed   nothing-proposed
└── NotMatching       not-matching
"""

from __future__ import annotations

from myapp.ledger.errors import LedgerError


class AlreadyMatched(LedgerError):
    """The line, or the posting meant for it, has its match."""

    code = "already-matched"


class NothingProposed(LedgerError):
    """There is no proposal to accept or reject, or there are several and none was named."""

    code = "nothing-proposed"


class NotMatching(LedgerError):
    """The transaction has no posting that could be the line's."""

    code = "not-matching"
