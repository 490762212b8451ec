"""Reports in the reference model: each path with the sum of what is at or below it, and totals by currency.

Units: smallest ones. A column is a pair of what stands as debit and what stands as credit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from fractions import Fraction

from myapp.ledger.model import AccountType
from tests.reference import looking, prices
from tests.reference.book import DEBIT_NORMAL, Book, Refused
from tests.reference.looking import Look

Nets = Mapping[str, Mapping[str, int]]
Columns = Mapping[str, tuple[int, int]]
# By path: its own columns, and those of all at and below it.
Tree = Mapping[str, tuple[Columns, Columns]]
RESULT = (AccountType.INCOME, AccountType.EXPENSE)


def trial_balance(book: Book, then: Book, value: str | None, look: Look) -> object:
    nets = valued(book, then, looking.nets(then, look), value, look)
    totals = columns(nets.values())
    rounding = None
    if value is not None:
        rounding = columns([{code: credit - debit for code, (debit, credit) in totals.items()}], zero=True)
        totals = {code: add(both, rounding[code]) for code, both in totals.items()}
    return tree(nets), rounding, totals


def balance_sheet(book: Book, then: Book, value: str | None, look: Look) -> object:
    nets = valued(book, then, looking.nets(then, look), value, look)
    codes = sorted({code for of in nets.values() for code in of})
    sections = {
        of: section(book, nets, of, codes) for of in (AccountType.ASSET, AccountType.LIABILITY, AccountType.EQUITY)
    }
    earnings = {code: -total(book, nets, code, RESULT) for code in codes}
    rounding = {code: total(book, nets, code, tuple(AccountType)) for code in codes} if value is not None else None
    equity = {
        code: sections[AccountType.EQUITY][1][code] + earnings[code] + (rounding or {}).get(code, 0) for code in codes
    }
    claims = {code: sections[AccountType.LIABILITY][1][code] + equity[code] for code in codes}
    assert claims == sections[AccountType.ASSET][1]
    return list(sections.values()), earnings, rounding, equity, claims


def income_statement(book: Book, then: Book, value: str | None, look: Look) -> object:
    moved = looking.nets(then, look)
    moved = {path: of for path, of in moved.items() if book.accounts[path].type in RESULT}
    nets = valued(book, then, moved, value, look)
    codes = sorted({code for of in nets.values() for code in of})
    income, expenses = (section(book, nets, of, codes) for of in RESULT)
    return income, expenses, {code: income[1][code] - expenses[1][code] for code in codes}


REPORTS: Mapping[str, Callable[[Book, Book, str | None, Look], object]] = {
    "trial balance": trial_balance,
    "balance sheet": balance_sheet,
    "income statement": income_statement,
}


def valued(book: Book, then: Book, nets: Nets, value: str | None, look: Look) -> Nets:
    """Return the nets that are not zero, in one currency if that is asked: each rounded by itself, half to even."""
    nets = without_zeros(nets)
    if value is None:
        return nets
    if book.exponent(value) is None:
        raise Refused("unknown-currency")
    ratios = {code: ratio(book, then, code, value, look) for of in nets.values() for code in of}
    worth = {path: {value: sum(round(net * ratios[code]) for code, net in of.items())} for path, of in nets.items()}
    return without_zeros(worth)


def ratio(book: Book, then: Book, code: str, value: str, look: Look) -> Fraction:
    """Return what the smallest unit of a currency is worth in smallest units; of a period at its end."""
    at = look.at or (look.until or look.now) - timedelta(microseconds=1)
    rate = Fraction(1) if code == value else prices.rate(then, code, value, at)
    if rate is None:
        raise Refused("missing-price")
    return rate * Fraction(10 ** (book.exponent(value) or 0), 10 ** (book.exponent(code) or 0))


def without_zeros(nets: Nets) -> Nets:
    found = {path: {code: net for code, net in of.items() if net} for path, of in nets.items()}
    return {path: of for path, of in found.items() if of}


def section(book: Book, nets: Nets, of: AccountType, codes: Iterable[str]) -> tuple[Tree, Mapping[str, int]]:
    direction = 1 if of in DEBIT_NORMAL else -1
    own = {path: each for path, each in nets.items() if book.accounts[path].type is of}
    return tree(own), {code: direction * total(book, nets, code, (of,)) for code in codes}


def total(book: Book, nets: Nets, code: str, types: Iterable[AccountType]) -> int:
    return sum(of.get(code, 0) for path, of in nets.items() if book.accounts[path].type in types)


def tree(nets: Nets) -> Tree:
    paths = {path[:end] for path in nets for end in (*(at for at, each in enumerate(path) if each == ":"), len(path))}
    return {
        path: (
            columns([nets.get(path, {})]),
            columns([of for each, of in nets.items() if f"{each}:".startswith(f"{path}:")]),
        )
        for path in paths
    }


def columns(nets: Iterable[Mapping[str, int]], *, zero: bool = False) -> Columns:
    found: dict[str, tuple[int, int]] = {}
    for of in nets:
        for code, net in of.items():
            if net or zero:
                found[code] = add(found.get(code, (0, 0)), (max(net, 0), max(-net, 0)))
    return found


def add(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]
