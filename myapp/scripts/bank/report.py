"""Say what an import did, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from myapp.scripts.bank.checking import Check
from myapp.scripts.bank.loading import Outcome, Target

IDS_MAX = 3


def lines(file: str, target: Target, outcome: Outcome, *, dry_run: bool) -> Iterator[str]:
    """Yield the lines of the summary."""
    through = f" through {target.clearing}" if target.clearing else ", matched on the account itself"
    yield f"{file} into {target.ledger}: {target.account}{through}"
    verb = "would be recorded" if dry_run else "recorded"
    yield f"  lines      {outcome.recorded:,} {verb}, {outcome.known:,} already there"
    if outcome.left_out:
        yield f"  left out   {', '.join(f'{name} {count:,}' for name, count in outcome.left_out.items())}"
    if outcome.repeated_ids:
        yield from _repeated(outcome.repeated_ids)
    for name, each in zip(["balances", *[""] * len(outcome.checks)], outcome.checks, strict=False):
        yield f"  {name:9}  {_balance(each, outcome.exponents)}"
    if not outcome.checks:
        yield "  balances   the file states none, so nothing says whether lines are missing"


def money(amount: Decimal, exponent: int) -> str:
    """Return an amount with all of its currency's digits."""
    return f"{amount:,.{exponent}f}"


def _repeated(ids: Mapping[str, int]) -> Iterator[str]:
    shown = ", ".join(list(ids)[:IDS_MAX])
    more = f" and {len(ids) - IDS_MAX:,} more" if len(ids) > IDS_MAX else ""
    yield f"  note       the bank gave one id to several lines, which were all kept: {shown}{more}"


def _balance(check: Check, exponents: Mapping[str, int]) -> str:
    exponent = exponents.get(check.stated.currency, 0)
    stated = f"{check.name} {money(check.stated.amount, exponent)} {check.stated.currency}, {check.stated.day}"
    if not check.difference:
        return f"{stated}: the books have the same"
    word = "more" if check.difference > 0 else "less"
    difference = money(abs(check.difference), exponent)
    return f"{stated}: THE BOOKS HAVE {money(check.held, exponent)}, {difference} {word}"


def differs(checks: Sequence[Check]) -> bool:
    """Say whether a balance is not that of the books."""
    return any(check.difference for check in checks)
