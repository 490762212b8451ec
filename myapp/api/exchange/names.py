"""Give things the names that another program's grammar allows: no two the same, and the same on every export.

The ledger's own name goes along as metadata, so that the way back needs no rule.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence

from myapp.ledger import model

ROOTS = {
    model.AccountType.ASSET: "Assets",
    model.AccountType.LIABILITY: "Liabilities",
    model.AccountType.EQUITY: "Equity",
    model.AccountType.INCOME: "Income",
    model.AccountType.EXPENSE: "Expenses",
}

BEANCOUNT_CURRENCY = r"[A-Z][A-Z0-9'._-]{0,22}[A-Z0-9]"
CURRENCY_LENGTH_MAX = 24
# What its lexer takes for something else.
BEANCOUNT_WORDS = frozenset({"TRUE", "FALSE", "NULL"})


def beancount_accounts(accounts: Iterable[model.Account]) -> Mapping[str, str]:
    """Return Beancount's names by path: the root is the account's type, and what is below an account stays below it.

    Where the path begins with the type's own word (`assets:cash`), that word becomes the root.
    """
    tree = _Tree()
    return {each.path: tree.name(each) for each in sorted(accounts, key=lambda each: each.path)}


def beancount_currencies(codes: Sequence[str]) -> Mapping[str, str]:
    """Return Beancount's names by code; most are the code itself."""
    return _unique(codes, is_fit=_is_beancount_currency, fitted=lambda code: f"{code[: CURRENCY_LENGTH_MAX - 1]}X")


def hledger_accounts(paths: Sequence[str]) -> Mapping[str, str]:
    """Return hledger's names by path; a name in parentheses would make virtual postings."""
    return _unique(
        paths, is_fit=lambda path: not (path[0] == "(" and path[-1] == ")"), fitted=lambda path: f"X{path[1:-1]}"
    )


def _is_beancount_currency(code: str) -> bool:
    return re.fullmatch(BEANCOUNT_CURRENCY, code) is not None and code not in BEANCOUNT_WORDS


def _unique(names: Sequence[str], *, is_fit: Callable[[str], bool], fitted: Callable[[str], str]) -> Mapping[str, str]:
    """Return a fit name for each; a name that is fit stays, whatever the others become."""
    given = {name: name for name in names if is_fit(name)}
    taken = set(given)
    for name in sorted(set(names) - taken):
        candidate = fitted(name)
        numbered = (f"{candidate[: CURRENCY_LENGTH_MAX - 8]}{number}" for number in itertools.count(2))
        given[name] = next(
            each for each in itertools.chain((candidate,), numbered) if each not in taken and is_fit(each)
        )
        taken.add(given[name])
    return given


class _Tree:
    """Names given so far, by root and path."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()

    def name(self, account: model.Account) -> str:
        root = ROOTS[account.type]
        own_words = (account.type.value, root.lower())
        first, _, rest = account.path.partition(":")
        if first.lower() in own_words and rest:
            self._names[root, first] = root
        return self._below(root, account.path)

    def _below(self, root: str, path: str) -> str:
        if (root, path) not in self._names:
            above, _, last = path.rpartition(":")
            parent = self._below(root, above) if above else root
            self._names[root, path] = self._free(f"{parent}:{_component(last)}")
        return self._names[root, path]

    def _free(self, name: str) -> str:
        numbered = (f"{name}-{number}" for number in itertools.count(2))
        free = next(each for each in itertools.chain((name,), numbered) if each not in self._taken)
        self._taken.add(free)
        return free


def _component(segment: str) -> str:
    """Return a segment in letters, digits and dashes, beginning with a capital or a digit."""
    text = "".join(character if _is_letter_or_digit(character) else "-" for character in segment)
    first = text[0].upper()
    if len(first) == 1 and unicodedata.category(first) in ("Lu", "Nd"):
        return first + text[1:]
    return f"X{text}"


def _is_letter_or_digit(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] == "L" or category == "Nd"
