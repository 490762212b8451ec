"""What TigerBeetle documents of two-phase transfers, linked events, limits and idempotency, as it is with us.

Each row has the rule in our own words, what is done, and how it must end. Where we mean to differ is in docs/ledger.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from myapp.ledger import errors
from tests.integration.ledger.counter import LATER, SALES, SOON, TILL, Counter, hold, share
from tests.integration.ledger.desk import in_every_form, key, transfer

pytestmark = [in_every_form, pytest.mark.commits]

# What the till has, and what of it is available.
UNTOUCHED, RESERVED, TAKEN = (10_000, 10_000), (10_000, 7_000), (7_000, 7_000)
SPEND = transfer("100.01", into=SALES, out_of=TILL)


def held(counter: Counter, **more: Any) -> Any:
    return counter.hold("30", **more)


def void_then(counter: Counter, act: Callable[[Any], object]) -> object:
    made = held(counter)
    counter.void(made)
    return act(made)


def post_then(counter: Counter, act: Callable[[Any], object]) -> object:
    made = held(counter)
    counter.post(made)
    return act(made)


RULES: list[tuple[str, Callable[[Counter], object], str, tuple[int, int]]] = [
    ("a pending transfer reserves, and leaves what is posted", held, "done", RESERVED),
    ("posting moves the reserved amount", lambda at: at.post(held(at)), "done", TAKEN),
    ("posting less gives the rest back", lambda at: at.post(share(held(at), "10", final=True)), "done", (9_000, 9_000)),
    ("(ours) unless more is to come", lambda at: at.post(share(held(at), "10")), "done", (9_000, 7_000)),
    ("posting more than is reserved is refused", lambda at: at.post(share(held(at), "31")), "exceeds-hold", RESERVED),
    ("voiding gives back", lambda at: at.void(held(at)), "done", UNTOUCHED),
    ("nothing is posted twice", lambda at: post_then(at, at.post), "not-pending", TAKEN),
    ("what is posted is not voided", lambda at: post_then(at, at.void), "not-pending", TAKEN),
    ("what is voided is not posted", lambda at: void_then(at, at.post), "not-pending", UNTOUCHED),
    ("nothing is voided twice", lambda at: void_then(at, at.void), "not-pending", UNTOUCHED),
    (
        "what has expired is not posted, and reserves until it is swept",
        lambda at: at.post(held(at, expires_at=SOON), now=SOON),
        "not-pending",
        RESERVED,
    ),
    ("nor voided", lambda at: at.void(held(at, expires_at=SOON), now=LATER), "not-pending", RESERVED),
    ("swept, it gives back", lambda at: (held(at, expires_at=SOON), at.expire()), "done", UNTOUCHED),
    (
        "only what is pending has a timeout",
        lambda at: at.record(transfer("1", expires_at=SOON)),
        "validation-failed",
        UNTOUCHED,
    ),
    (
        "only a pending transfer is resolved",
        lambda at: at.post(*at.record(transfer("0.01")).transactions),
        "not-pending",
        (10_001, 10_001),
    ),
    (
        "a limit counts what is pending, so the hold fails and not its post",
        lambda at: (held(at), at.hold("70.01")),
        "insufficient-funds",
        RESERVED,
    ),
    ("resolving never breaks a limit", lambda at: (held(at), at.post(at.hold("70"))), "done", (3_000, 0)),
    ("a limit refuses what goes beyond", lambda at: at.record(SPEND), "insufficient-funds", UNTOUCHED),
    (
        "a chain fails as one",
        lambda at: at.record(transfer("1"), hold("1"), SPEND, hold("1")),
        "insufficient-funds",
        UNTOUCHED,
    ),
    ("a member of a chain sees those before it", lambda at: at.record(transfer("0.01"), SPEND), "done", (0, 0)),
    (
        "a chain of resolutions fails as one",
        lambda at: at.post(share(made := held(at), "10"), share(made, "21")),
        "exceeds-hold",
        RESERVED,
    ),
    (
        "the same again takes no effect again",
        lambda at: [at.record(hold("30"), claim=key("k")) for _ in range(2)],
        "done",
        RESERVED,
    ),
    (
        "nor does the same resolution",
        lambda at: [at.post(share(made, "10"), claim=key("k")) for made in [held(at)] * 2],
        "done",
        (9_000, 7_000),
    ),
    (
        "another under the same name is refused",
        lambda at: [at.record(hold("30"), claim=key("k", request_hash=bytes([n]))) for n in range(2)],
        "idempotency-mismatch",
        RESERVED,
    ),
    (
        "(ours) what was refused under a name may be tried again",
        lambda at: [tried(at, hold("101")), at.record(hold("30"), claim=key("k"))],
        "done",
        RESERVED,
    ),
    ("an amount is above zero (ours)", lambda at: at.record(transfer("0")), "validation-failed", UNTOUCHED),
    (
        "a closed account takes nothing",
        lambda at: (at.change(SALES, closed=True), at.record(transfer("1"))),
        "account-closed",
        UNTOUCHED,
    ),
    (
        "nor is anything posted to it",
        lambda at: (made := held(at), at.change(SALES, closed=True), at.post(made)),
        "account-closed",
        RESERVED,
    ),
    (
        "what it held is voided all the same",
        lambda at: (made := held(at), at.change(SALES, closed=True), at.void(made)),
        "done",
        UNTOUCHED,
    ),
]


def tried(counter: Counter, wanted: Any) -> str:
    """Record under a key, and return how it ended."""
    try:
        counter.record(wanted, claim=key("k"))
    except errors.LedgerError as error:
        return error.code
    return "done"


@pytest.mark.parametrize(("act", "ends", "till"), [row[1:] for row in RULES], ids=[row[0] for row in RULES])
def test_the_rule_holds(counter: Counter, act: Callable[[Counter], object], ends: str, till: tuple[int, int]) -> None:
    try:
        act(counter)
        ended = "done"
    except errors.LedgerError as error:
        ended = error.code

    assert ended == ends
    assert (counter.balance(TILL), counter.available()) == till
