"""Tell which of a journal's transactions a ledger already has.

A transaction's reference is made of what it says, since a journal has no numbers of its own:

    beancount:<money>-<words>-<n>

`money` stands for the date and the lines as recorded, whatever their order; `words` for all the rest; `n` counts
transactions that are equal in both. So a new payee or comment on an old entry is recognised as the same movement of
money and not recorded again; the ledger, where nothing recorded is changed, keeps the old words.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from myapp.ledger import model
from myapp.scripts.importing.plan import PlannedTransaction

PREFIX = "beancount:"
_MONEY_LENGTH = 32
_WORDS_LENGTH = 8


class Namer:
    """Gives each transaction of one journal its reference, in the journal's order."""

    def __init__(self, prefix: str = PREFIX) -> None:
        self._prefix = prefix
        self._seen: Counter[str] = Counter()

    def name(
        self,
        effective_at: datetime,
        postings: Iterable[model.NewPosting],
        description: str | None,
        metadata: Mapping[str, str],
    ) -> str:
        lines = sorted(f"{each.account}\t{each.side}\t{each.amount.normalize():f} {each.currency}" for each in postings)
        money = _digest([effective_at.isoformat(), *lines])[:_MONEY_LENGTH]
        words = _digest([description or "", *(f"{key}\t{value}" for key, value in sorted(metadata.items()))])
        content = f"{money}-{words[:_WORDS_LENGTH]}"
        self._seen[content] += 1
        return f"{self._prefix}{content}-{self._seen[content]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """A journal's transactions by what is to be done with them.

    `reworded` are in the ledger with other words; `gone` are references of the ledger that the journal lacks.
    """

    new: Sequence[PlannedTransaction]
    there: int
    reworded: Sequence[PlannedTransaction]
    gone: Sequence[str]


def reconcile(wanted: Sequence[PlannedTransaction], recorded: Collection[str], *, prefix: str = PREFIX) -> Reconciled:
    """Compare the journal's transactions with the references that the ledger has.

    Those that begin with the prefix are of earlier imports; of the others nobody expects to be in the journal.
    """
    unmatched = {each for each in recorded if each.startswith(prefix)} - {each.reference for each in wanted}
    by_money: dict[str, list[str]] = {}
    for reference in sorted(unmatched, reverse=True):
        by_money.setdefault(_money(reference), []).append(reference)
    new: list[PlannedTransaction] = []
    reworded: list[PlannedTransaction] = []
    for each in wanted:
        if each.reference in recorded:
            continue
        same_money = by_money.get(_money(each.reference))
        if same_money:
            unmatched.discard(same_money.pop())
            reworded.append(each)
        else:
            new.append(each)
    there = len(wanted) - len(new) - len(reworded)
    return Reconciled(new=new, there=there, reworded=reworded, gone=sorted(unmatched))


def _money(reference: str) -> str:
    return reference.rpartition(":")[2].partition("-")[0]


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
