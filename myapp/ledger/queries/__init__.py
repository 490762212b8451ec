"""What reads a ledger: by key, in pages, in as many statements whatever the size of the page.

Note [Plans for a new ledger]
To PostgreSQL's planner each ledger is one of two hundred, however much it holds (docs/decisions/0031-plans.md), and of
one that is newer than the last ANALYZE it knows no other column. It then joins two of its tables by comparing all rows
of one with all rows of the other: seconds for a page that takes milliseconds. So a page and what belongs to it are read
one after the other, by key.
"""

from myapp.ledger.queries.account_statement import account_statement
from myapp.ledger.queries.accounts import get_account, list_accounts
from myapp.ledger.queries.balances import PathBalance, get_balance
from myapp.ledger.queries.events import EventPage, has_unnumbered_events, last_event_seq, list_events
from myapp.ledger.queries.history import balances_at, movements
from myapp.ledger.queries.journal import Entry, Line, Order, Period, Walk
from myapp.ledger.queries.ledgers import exponents, find_names, get_ledger, list_currencies, list_ledgers
from myapp.ledger.queries.outcomes import has_expired_holds, list_posts
from myapp.ledger.queries.postings import PostingPosition, list_postings
from myapp.ledger.queries.prices import PricePosition, find_rates, list_prices, price_of, walk_prices
from myapp.ledger.queries.reports import figures_at, figures_between, value_figures
from myapp.ledger.queries.seals import Proof, get_proof, list_seals
from myapp.ledger.queries.search import TransactionFilter, words_of
from myapp.ledger.queries.sums import Movement, list_references, sum_movements
from myapp.ledger.queries.transactions import (
    Searched,
    get_transaction,
    list_holds,
    list_transactions,
    load_transactions,
    search_transactions,
)
from myapp.ledger.queries.webhooks import get_webhook, list_webhooks
from myapp.ledger.sealing import Seal

__all__ = [
    "Entry",
    "EventPage",
    "Line",
    "Movement",
    "Order",
    "PathBalance",
    "Period",
    "PostingPosition",
    "PricePosition",
    "Proof",
    "Seal",
    "Searched",
    "TransactionFilter",
    "Walk",
    "account_statement",
    "balances_at",
    "exponents",
    "figures_at",
    "figures_between",
    "find_names",
    "find_rates",
    "get_account",
    "get_balance",
    "get_ledger",
    "get_proof",
    "get_transaction",
    "get_webhook",
    "has_expired_holds",
    "has_unnumbered_events",
    "last_event_seq",
    "list_accounts",
    "list_currencies",
    "list_events",
    "list_holds",
    "list_ledgers",
    "list_postings",
    "list_posts",
    "list_prices",
    "list_references",
    "list_seals",
    "list_transactions",
    "list_webhooks",
    "load_transactions",
    "movements",
    "price_of",
    "search_transactions",
    "sum_movements",
    "value_figures",
    "walk_prices",
    "words_of",
]
