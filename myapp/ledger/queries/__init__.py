"""What reads a ledger: by key, in pages, in as many statements whatever the size of the page."""

from myapp.ledger.queries.accounts import get_account, list_accounts
from myapp.ledger.queries.ledgers import exponents, get_ledger, list_currencies, list_ledgers
from myapp.ledger.queries.postings import PostingPosition, list_postings
from myapp.ledger.queries.transactions import (
    TransactionFilter,
    get_transaction,
    list_transactions,
    load_transactions,
)

__all__ = [
    "PostingPosition",
    "TransactionFilter",
    "exponents",
    "get_account",
    "get_ledger",
    "get_transaction",
    "list_accounts",
    "list_currencies",
    "list_ledgers",
    "list_postings",
    "list_transactions",
    "load_transactions",
]
