"""The accounts that are posted to: hledger prints no others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from myapp.ledger import model
from myapp.scripts.importing import own
from myapp.scripts.importing.fitting import fit
from myapp.scripts.importing.hledger import printed, tags
from myapp.scripts.importing.plan import Note, PlannedAccount

TYPE = "type"
# As hledger has them; cash is an asset, and conversion is equity.
TYPES = {
    **dict.fromkeys(("a", "asset", "c", "cash"), model.AccountType.ASSET),
    **dict.fromkeys(("l", "liability"), model.AccountType.LIABILITY),
    **dict.fromkeys(("e", "equity", "v", "conversion"), model.AccountType.EQUITY),
    **dict.fromkeys(("r", "revenue", "i", "income"), model.AccountType.INCOME),
    **dict.fromkeys(("x", "expense"), model.AccountType.EXPENSE),
}
NAMES = {
    re.compile(r"assets?(:|$)", re.IGNORECASE): model.AccountType.ASSET,
    re.compile(r"(debts?|liabilit(y|ies))(:|$)", re.IGNORECASE): model.AccountType.LIABILITY,
    re.compile(r"equity(:|$)", re.IGNORECASE): model.AccountType.EQUITY,
    re.compile(r"(income|revenue)s?(:|$)", re.IGNORECASE): model.AccountType.INCOME,
    re.compile(r"expenses?(:|$)", re.IGNORECASE): model.AccountType.EXPENSE,
}


@dataclass(slots=True, kw_only=True)
class Chart:
    """The accounts by the journal's names, and what is to be said about them."""

    accounts: dict[str, PlannedAccount] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    problems: list[Note] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    @property
    def paths(self) -> Mapping[str, str]:
        return {name: each.account.path for name, each in self.accounts.items()}


def read(transactions: Sequence[printed.Transaction]) -> Chart:
    """Return the accounts, each with the place of the first transaction that posts to it."""
    chart = Chart()
    seen: set[str] = set()
    for transaction in transactions:
        for posting in transaction.tpostings:
            if posting.paccount not in seen and posting.ptype != "VirtualPosting":
                seen.add(posting.paccount)
                _add(chart, transaction, posting)
    return chart


def _add(chart: Chart, transaction: printed.Transaction, posting: printed.Posting) -> None:
    name, place = posting.paccount, transaction.place
    noted = own.read(tags.noted(tags.of_account(posting)))
    kind = _type(name, noted)
    if kind is None:
        text = f"{name}: its type is not known; declare it in the journal: `account {name}  ; type:A` (or L, E, R, X)"
        chart.problems.append(Note(place=place, text=text))
        return
    path = noted.path or name
    if path in chart.taken:
        chart.problems.append(Note(place=place, text=f"{name}: another account has the path {path} as well"))
        return
    chart.taken.add(path)
    try:
        metadata, limits = noted.metadata(), noted.limits()
    except ValueError as exc:
        chart.problems.append(Note(place=place, text=f"{name}: cannot read what an export noted: {exc}"))
        return
    rest = {key: str(value) for key, value in noted.rest.items() if key != TYPE}
    fitted = fit("", [*metadata.items(), *rest.items()])
    chart.notes += (Note(place=place, text=f"{name}: {text}") for text in fitted.lost)
    wanted = model.NewAccount(path=path, type=kind, currencies=noted.currencies, metadata=fitted.metadata)
    chart.accounts[name] = PlannedAccount(place=place, account=wanted, closes=noted.is_closed, limits=limits)


def _type(name: str, noted: own.Noted) -> model.AccountType | None:
    told = str(noted.rest.get(TYPE, "")).partition(",")[0].strip().lower()
    by_name = next((kind for pattern, kind in NAMES.items() if pattern.match(name)), None)
    return TYPES.get(told, by_name)
