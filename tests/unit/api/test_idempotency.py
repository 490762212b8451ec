"""What an Idempotency-Key stands for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pyramid.registry import Registry

from myapp import settings
from myapp.api import idempotency, schemas
from myapp.api.request import HttpRequest
from myapp.ledger.idempotency import Claim

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def claim(path: str = "/a", *, method: str = "POST", name: str = "shop", variant: str = "") -> Claim:
    request = HttpRequest.blank(path, method=method, headers={"Idempotency-Key": "k"})
    request.registry = Registry()
    request.registry["myapp.settings"] = settings.Application(idempotency_days=3)
    request.now = NOW
    request.wanted = schemas.NewLedger(name=name)
    claimed = idempotency.claim(request, variant=variant)
    assert claimed is not None
    return claimed


def test_a_repeat_is_the_same() -> None:
    assert claim() == claim()


@pytest.mark.parametrize(
    "other",
    [claim("/b"), claim(method="PUT"), claim(name="bank"), claim(variant="whole")],
    ids=["path", "method", "body", "variant"],
)
def test_another_request_is_another(other: Claim) -> None:
    assert other.request_hash != claim().request_hash


def test_is_kept_for_the_days_of_the_setting() -> None:
    assert claim().expired_before == NOW - timedelta(days=3)
