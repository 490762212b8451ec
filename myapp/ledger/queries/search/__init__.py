"""Find transactions by any of their parts: each part has its index, and the narrowest is walked.

See docs/decisions/0018-search.md.
"""

from myapp.ledger.queries.search.criteria import TransactionFilter
from myapp.ledger.queries.search.finding import Found, find
from myapp.ledger.terms import words as words_of

__all__ = ["Found", "TransactionFilter", "find", "words_of"]
