"""Load into a running service over HTTP: each batch is a request, recorded whole or not at all, for good."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from myapp.ledger import currencies, model
from myapp.scripts.importing import references
from myapp.scripts.importing.assertions import Movement
from myapp.scripts.importing.destination import BatchRefused, Known
from myapp.scripts.importing.service import Json, Service, ServiceError

# Answers that speak of the batch itself, and not of the way to it.
NOT_FOUND = 404
REFUSED = (409, 422)


class Remote:
    """A ledger of a service; making it takes a key that may."""

    whole = False

    def __init__(self, service: Service, name: str) -> None:
        self._service = service
        self._path = ("ledgers", name)

    def make_ledger(self) -> bool:
        try:
            self._service.get(*self._path)
        except ServiceError as exc:
            if exc.status != NOT_FOUND:
                raise
            self._service.post("ledgers", body={"name": self._path[-1]})
            return True
        return False

    def exponents(self, codes: Collection[str]) -> Mapping[str, int]:
        declared = {each["code"]: int(each["exponent"]) for each in self._service.items(*self._path, "currencies")}
        known = {**currencies.iso_exponents(), **declared}
        return {code: known[code] for code in codes if code in known}

    def declare(self, currency: model.Currency) -> None:
        self._service.put(*self._path, "currencies", currency.code, body={"exponent": currency.exponent})

    def accounts(self) -> Mapping[str, Known]:
        return {
            each["path"]: Known(type=model.AccountType(each["type"]), closed=each["closed"], metadata=each["metadata"])
            for each in self._service.items(*self._path, "accounts")
        }

    def open_account(self, wanted: model.NewAccount) -> None:
        body: Json = {"path": wanted.path, "type": wanted.type, "metadata": dict(wanted.metadata)}
        if wanted.currencies is not None:
            body["currencies"] = list(wanted.currencies)
        self._service.post(*self._path, "accounts", body=body)

    def change_account(self, path: str, change: model.AccountChange) -> None:
        body: Json = {"closed": change.closed}
        if change.metadata is not None:
            body["metadata"] = dict(change.metadata)
        self._service.patch(*self._path, "accounts", path, body=body)

    def references(self, first: datetime, last: datetime) -> set[str]:
        after_last = last + timedelta(days=1)
        window = {"from": first.date().isoformat(), "to": after_last.date().isoformat()}
        found = (each["reference"] for each in self._service.items(*self._path, "transactions", **window))
        return {reference for reference in found if reference is not None and reference.startswith(references.PREFIX)}

    def record(self, wanted: Sequence[model.NewTransaction]) -> None:
        try:
            self._service.post(
                *self._path, "transactions", "batch", body={"transactions": [_encode(each) for each in wanted]}
            )
        except ServiceError as exc:
            if exc.status in REFUSED and exc.index is not None:
                raise BatchRefused(str(exc), index=exc.index) from exc
            raise

    def movements(self, paths: Collection[str]) -> Iterator[Movement]:
        for path in sorted(self.accounts()):
            if any(path == asked or path.startswith(f"{asked}:") for asked in paths):
                for line in self._service.items(*self._path, "accounts", path, "postings"):
                    yield _movement(path, line)


def _movement(path: str, line: Json) -> Movement:
    day = date.fromisoformat(line["transaction"]["effective_at"][:10])
    net = Decimal(line["debit"]) if "debit" in line else -Decimal(line["credit"])
    return Movement(path=path, currency=line["currency"], day=day, net=net)


def _encode(wanted: model.NewTransaction) -> Json:
    return {
        "reference": wanted.reference,
        "description": wanted.description,
        "effective_at": wanted.effective_at.isoformat() if wanted.effective_at is not None else None,
        "metadata": dict(wanted.metadata),
        "postings": [
            {"account": each.account, "currency": each.currency, each.side.value: f"{each.amount:f}"}
            for each in wanted.postings
        ],
    }
