"""Seals and proofs over HTTP, judged by the verifier that shares no code with the service."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pyramid.router import Router

from myapp.db import scope
from myapp.ledger import queries, sealing, tables
from tests.functional.api.shop import Shop, refund, sale
from tests.integration.ledger import history
from tests.integration.ledger.desk import Desk

VERIFIER = Path(__file__).parents[3] / "docs" / "verify_proof.py"

pytestmark = pytest.mark.commits

Verify = Callable[..., tuple[int, str]]


@pytest.fixture
def seal(lasting_shop: Shop, wsgi_app: Router) -> Callable[[], None]:
    """Return a function that seals what the shop has recorded, a few events an epoch."""
    sessions = wsgi_app.registry["db.sessions"]

    def seal() -> None:
        with scope.session_scope(sessions, readonly=True) as session:
            ledger = queries.get_ledger(session, lasting_shop.name)
        history.number(Desk(sessions, ledger))
        with scope.session_scope(sessions) as session:
            while new := sealing.make_next(session, ledger, now=datetime.now(UTC), size_max=2):
                sealing.store(session, new)

    return seal


@pytest.fixture
def verify(tmp_path: Path) -> Verify:
    """Return a function that runs the verifier, as a stranger would, and returns its exit code and what it said."""

    def saved(value: Any) -> Path:
        path = tmp_path / f"{secrets.token_hex(4)}.json"
        path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
        return path

    def verify(proof: Any, published: str, *, seals: Any = None, transaction: Any = None) -> tuple[int, str]:
        command = [sys.executable, "-I", "-S", str(VERIFIER), str(saved(proof)), "--published", published]
        if seals is not None:
            command += ["--seals", str(saved(seals))]
        if transaction is not None:
            command += ["--transaction", str(saved(transaction))]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        return done.returncode, done.stdout + done.stderr

    return verify


@pytest.fixture
def sold(lasting_shop: Shop, seal: Callable[[], None]) -> list[Any]:
    """Return recorded transactions of every kind that are sealed, as they were answered then."""
    wanted = [
        sale("12.50", reference="a", description="Über ⚖", metadata={"k": "v"}),
        *[sale("1.00")] * 4,
        refund("0.07"),
    ]
    recorded = [lasting_shop.must(201, "POST", "transactions", each) for each in wanted]
    held = lasting_shop.must(201, "POST", "transactions", refund("9", pending=True, expires_at="2999-01-01"))
    address = f"transactions/{held['id']}"
    taken = lasting_shop.must(201, "POST", f"{address}/post", {"postings": refund("2")["postings"]})
    last = lasting_shop.must(201, "POST", f"{address}/post", {"postings": refund("3")["postings"], "final": True})
    assert last["released"]
    back = lasting_shop.must(201, "POST", f"transactions/{recorded[-1]['id']}/reverse")
    seal()
    return [*recorded, held, taken, last, back]


class TestProof:
    def test_is_valid_for_every_transaction(self, lasting_shop: Shop, sold: list[Any], verify: Verify) -> None:
        for each in sold:
            proof = lasting_shop.must(200, "GET", f"transactions/{each['id']}/proof")

            code, said = verify(proof, proof["seal"]["hash"], transaction=each)

            assert (code, said.startswith(f"valid: transaction.{each['status']} {each['id']} is event ")) == (
                0,
                True,
            ), said

    @pytest.mark.parametrize("change", [{"expires_at": "2030-01-01T00:00:00Z"}, {"expires_at": None}])
    def test_is_invalid_for_a_hold_that_is_shown_to_end_at_another_time(
        self, lasting_shop: Shop, sold: list[Any], verify: Verify, change: Any
    ) -> None:
        held = next(each for each in sold if each["expires_at"])
        proof = lasting_shop.must(200, "GET", f"transactions/{held['id']}/proof")

        assert verify(proof, proof["seal"]["hash"], transaction={**held, **change})[0] == 1

    def test_is_invalid_where_other_is_shown_to_be_given_back(
        self, lasting_shop: Shop, sold: list[Any], verify: Verify
    ) -> None:
        last = next(each for each in sold if each.get("released"))
        proof = lasting_shop.must(200, "GET", f"transactions/{last['id']}/proof")

        for change in ({"released": []}, {"released": last["released"] * 2}, {"postings": last["postings"][:1]}):
            assert verify(proof, proof["seal"]["hash"], transaction={**last, **change})[0] == 1

    def test_is_valid_by_a_later_seal_that_was_published(
        self, lasting_shop: Shop, sold: list[Any], verify: Verify, tmp_path: Path
    ) -> None:
        proof = lasting_shop.must(200, "GET", f"transactions/{sold[0]['id']}/proof")
        seals = lasting_shop.must(200, "GET", "seals")
        newest = seals["items"][-1]["hash"]
        assert proof["seal"]["hash"] != newest
        published = tmp_path / "published.txt"
        published.write_text(f"shop 0000 1 1-3 2026-11-24T00:00:00Z {newest}\n", encoding="utf-8")

        assert verify(proof, newest)[0] == 1
        assert verify(proof, str(published), seals=seals)[0] == 0

        seals["items"].pop(-2)
        assert verify(proof, newest, seals=seals)[0] == 1

    @pytest.mark.parametrize(
        "tamper",
        [
            lambda proof: {**proof, "leaf": proof["leaf"].replace('"amount":"1250"', '"amount":"1251"')},
            lambda proof: {**proof, "leaf": proof["leaf"].replace('"seq":"', '"seq":"1')},
            lambda proof: {**proof, "index": proof["index"] + 1},
            lambda proof: {**proof, "size": proof["size"] + 1},
            lambda proof: {**proof, "path": proof["path"][:-1]},
            lambda proof: {**proof, "path": [*proof["path"], "00" * 32]},
            lambda proof: {**proof, "path": ["00" * 32, *proof["path"][1:]]},
            lambda proof: {
                **proof,
                "seal": {"header": proof["seal"]["header"].replace('"format":1', '"format":2')},
            },
        ],
    )
    def test_is_invalid_once_anything_in_it_is_changed(
        self, lasting_shop: Shop, sold: list[Any], verify: Verify, tamper: Callable[[Any], Any]
    ) -> None:
        proof = lasting_shop.must(200, "GET", f"transactions/{sold[0]['id']}/proof")
        changed = tamper(proof)
        assert changed != proof

        code, said = verify(changed, proof["seal"]["hash"])

        assert (code, said.startswith("INVALID: ")) == (1, True), said

    @pytest.mark.parametrize(
        "change",
        [
            {"reference": "b"},
            {"description": None},
            {"metadata": {}},
            {"status": "voided"},
            {"effective_at": "2020-01-01T00:00:00Z"},
            {"postings": []},
            {"pending_of": "01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31"},
            {"reverses": "01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31"},
        ],
    )
    def test_is_invalid_for_another_transaction_than_was_shown(
        self, lasting_shop: Shop, sold: list[Any], verify: Verify, change: Any
    ) -> None:
        proof = lasting_shop.must(200, "GET", f"transactions/{sold[0]['id']}/proof")

        assert verify(proof, proof["seal"]["hash"], transaction={**sold[0], **change})[0] == 1
        line = {**sold[0]["postings"][0], "balance": "12.51"}
        changed = {**sold[0], "postings": [line, *sold[0]["postings"][1:]]}
        assert verify(proof, proof["seal"]["hash"], transaction=changed)[0] == 1

    def test_says_what_it_cannot_use(self, lasting_shop: Shop, sold: list[Any], verify: Verify) -> None:
        proof = lasting_shop.must(200, "GET", f"transactions/{sold[0]['id']}/proof")

        assert verify("no json", "00" * 32)[0] == 2
        assert verify({}, "00" * 32)[0] == 2
        assert verify(proof, "no-such-file")[0] == 2

    def test_fails_once_the_database_was_changed(
        self, lasting_shop: Shop, sold: list[Any], verify: Verify, wsgi_app: Router
    ) -> None:
        with scope.session_scope(wsgi_app.registry["db.sessions"]) as session:
            table = tables.transactions
            changed = sa.update(table).where(table.c.reference == "a", table.c.description == "Über ⚖")
            ledger = queries.get_ledger(session, lasting_shop.name)
            session.execute(changed.where(table.c.ledger_id == ledger.id).values(description="Other"))
        proof = lasting_shop.must(200, "GET", f"transactions/{sold[0]['id']}/proof")

        assert verify(proof, proof["seal"]["hash"])[0] == 1

    def test_of_what_is_not_sealed_says_what_to_do(self, lasting_shop: Shop, sold: list[Any]) -> None:
        late = lasting_shop.must(201, "POST", "transactions", sale())

        problem = lasting_shop.refused("not-sealed", "GET", f"transactions/{late['id']}/proof")

        assert problem["status"] == 409
        assert "myapp seal" in problem["detail"]

    @pytest.mark.parametrize("id_", ["01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31", "nonsense"])
    def test_of_what_is_not_there_is_not_found(self, lasting_shop: Shop, id_: str) -> None:
        lasting_shop.refused("not-found", "GET", f"transactions/{id_}/proof")


class TestSeals:
    def test_are_listed_in_order_and_in_pages(self, lasting_shop: Shop, sold: list[Any]) -> None:
        whole = lasting_shop.must(200, "GET", "seals")
        first = lasting_shop.must(200, "GET", "seals?limit=1")
        rest = lasting_shop.must(200, "GET", f"seals?after={first['next']}")

        assert whole["next"] is None
        assert len(whole["items"]) > 1
        assert first["items"] + rest["items"] == whole["items"]
        assert [each["epoch"] for each in whole["items"]] == [*range(1, len(whole["items"]) + 1)]
        for one, next_one in zip(whole["items"], whole["items"][1:], strict=False):
            assert next_one["previous"] == one["hash"]
            assert next_one["first_seq"] == one["last_seq"] + 1

    def test_are_none_at_first(self, lasting_shop: Shop) -> None:
        assert lasting_shop.must(200, "GET", "seals") == {"items": [], "next": None}

    def test_take_no_cursor_of_another_list(self, lasting_shop: Shop) -> None:
        cursor = "WyJhY2NvdW50cyIsImEiXQ"
        lasting_shop.refused("bad-parameter", "GET", f"seals?after={cursor}")
