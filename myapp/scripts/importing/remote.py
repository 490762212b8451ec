"""Load into a running service over HTTP: each batch is a request, recorded whole or not at all, for good."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import msgspec

from myapp.api import fields
from myapp.api.exchange import deeds, lines
from myapp.ledger import currencies, model
from myapp.scripts.importing.assertions import Movement
from myapp.scripts.importing.destination import BatchRefused, Known, PriceKey
from myapp.scripts.importing.service import Json, Service, ServiceError

# Answers that speak of the batch itself, and not of the way to it.
NOT_FOUND = 404
REFUSED = (NOT_FOUND, 409, 422)

_decoder = msgspec.json.Decoder(lines.Line)


class Remote:
    """A ledger of a service; making it takes a key that may."""

    whole = False

    def __init__(self, service: Service, name: str) -> None:
        self._service = service
        self._path = ("ledgers", name)

    def make_ledger(self, metadata: Mapping[str, str]) -> bool:
        try:
            self._service.get(*self._path)
        except ServiceError as exc:
            if exc.status != NOT_FOUND:
                raise
            self._service.post("ledgers", body={"name": self._path[-1], "metadata": dict(metadata)})
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
            each["path"]: Known(
                type=model.AccountType(each["type"]),
                closed=each["closed"],
                metadata=each["metadata"],
                limited=each["limits"].keys(),
            )
            for each in self._service.items(*self._path, "accounts")
        }

    def open_account(self, wanted: model.NewAccount) -> None:
        body: Json = {"path": wanted.path, "type": wanted.type, "metadata": dict(wanted.metadata)}
        if wanted.currencies is not None:
            body["currencies"] = list(wanted.currencies)
        self._service.post(*self._path, "accounts", body=body)

    def change_account(self, path: str, change: model.AccountChange) -> None:
        body: Json = {} if change.closed is None else {"closed": change.closed}
        if change.limits is not None:
            body["limits"] = {code: _limits(limits) for code, limits in change.limits.items()}
        if change.metadata is not None:
            body["metadata"] = dict(change.metadata)
        self._service.patch(*self._path, "accounts", path, body=body)

    def references(self, first: datetime, last: datetime) -> set[str]:
        after_last = last + timedelta(days=1)
        window = {"from": first.date().isoformat(), "to": after_last.date().isoformat()}
        found = (each["reference"] for each in self._service.items(*self._path, "transactions", **window))
        return {reference for reference in found if reference is not None}

    def record(self, wanted: Sequence[model.NewTransaction]) -> None:
        self._send_batch("transactions", "batch", body={"transactions": [_encode(each) for each in wanted]})

    def recorded(self) -> Iterator[lines.Recorded]:
        for text in self._service.text_lines(*self._path, "export"):
            line = _decoder.decode(text)
            if isinstance(line, lines.Transaction | lines.Price):
                yield line

    def replay(self, wanted: Sequence[deeds.Deed], *, at: int) -> Sequence[UUID]:
        body = msgspec.to_builtins(deeds.Deeds(deeds=list(wanted)), enc_hook=fields.encode_custom)
        return [UUID(each["id"]) for each in self._send_batch("replay", body=body, at=at)]

    def record_prices(self, wanted: Sequence[model.NewPrice], *, at: int) -> None:
        body = {"prices": [_price(each) for each in wanted]}
        self._service.post(*self._path, "prices", body=body, at=at)

    def lock_before(self, start: datetime) -> None:
        found = self._service.get(*self._path)["locked_before"]
        if found is None or datetime.fromisoformat(found) < start:
            self._service.patch(*self._path, body={"locked_before": start.isoformat()})

    def _send_batch(self, *path: str, body: Json, at: int | None = None) -> Sequence[Json]:
        """Send what is recorded as a whole or refused, and return what was made.

        Raises:
            BatchRefused: naming the first at fault.
        """
        try:
            made: Sequence[Json] = self._service.post(*self._path, *path, body=body, at=at)["items"]
        except ServiceError as exc:
            if exc.status in REFUSED and exc.index is not None:
                raise BatchRefused(str(exc), index=exc.index) from exc
            raise
        return made

    def prices(self) -> Mapping[PriceKey, Decimal]:
        return {
            (each["currency"], each["quote"], datetime.fromisoformat(each["effective_at"])): Decimal(each["price"])
            for each in self._service.items(*self._path, "prices")
        }

    def movements(self, paths: Collection[str]) -> Iterator[Movement]:
        for path in sorted(self.accounts()):
            if any(path == asked or path.startswith(f"{asked}:") for asked in paths):
                for line in self._service.items(*self._path, "accounts", path, "postings"):
                    yield _movement(path, line)


def _limits(of: model.NewLimits | None) -> Json | None:
    if of is None:
        return None
    return {name: f"{end:f}" for name, end in (("min", of.min), ("max", of.max)) if end is not None}


def _movement(path: str, line: Json) -> Movement:
    day = date.fromisoformat(line["transaction"]["effective_at"][:10])
    net = Decimal(line["debit"]) if "debit" in line else -Decimal(line["credit"])
    return Movement(path=path, currency=line["currency"], day=day, net=net)


def _price(of: model.NewPrice) -> Json:
    return {
        "currency": of.currency,
        "quote": of.quote,
        "price": f"{of.price:f}",
        "effective_at": of.effective_at.isoformat(),
    }


def _encode(wanted: model.NewTransaction) -> Json:
    return {
        "reference": wanted.reference,
        "description": wanted.description,
        "effective_at": wanted.effective_at.isoformat() if wanted.effective_at is not None else None,
        "metadata": dict(wanted.metadata),
        "postings": _postings(wanted.postings),
    }


def _postings(of: Iterable[model.NewPosting]) -> list[Json]:
    return [{"account": each.account, "currency": each.currency, each.side.value: f"{each.amount:f}"} for each in of]
