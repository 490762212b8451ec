"""Bank statements: their lines, each taken over once, and what they are matched with in the books.

fingerprints   whether a line was imported before, pure
importing      lines of a file                               -> transactions and lines
candidates     what the business has recorded                -> postings that lines may mean
scoring        lines and candidates                          -> what is certain and what is proposed, pure
matching       a run over all lines that have no match
deciding       what a person decides about one line
settling       a match and what follows from it, under the accounts' lock and the tables' constraints
reading        lines, with their matches and proposals, and totals
balances       what an account held, to be compared with what the bank says

Nothing here commits, and nothing reads the clock. The words and rules are in docs/bank.md.
"""

from myapp.ledger.bank.balances import net_before
from myapp.ledger.bank.deciding import accept, record_missing, reject
from myapp.ledger.bank.importing import import_lines
from myapp.ledger.bank.matching import match
from myapp.ledger.bank.model import DAYS, DAYS_MAX, How, Imported, Line, Match, NewLine, Proposal, Run, State, Total
from myapp.ledger.bank.reading import LinePosition, get_line, list_lines, total_lines

__all__ = [
    "DAYS",
    "DAYS_MAX",
    "How",
    "Imported",
    "Line",
    "LinePosition",
    "Match",
    "NewLine",
    "Proposal",
    "Run",
    "State",
    "Total",
    "accept",
    "get_line",
    "import_lines",
    "list_lines",
    "match",
    "net_before",
    "record_missing",
    "reject",
    "total_lines",
]
