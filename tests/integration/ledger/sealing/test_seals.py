"""Sealing what was recorded: in order, without a gap, once; and the proof that a transaction is sealed."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from myapp.db.telemetry.counting import count_statements
from myapp.ledger import errors, queries, sealing, tables
from myapp.ledger.sealing import leaves, merkle
from tests.integration.ledger import history
from tests.integration.ledger.desk import NOW, Desk, limits, transfer

events, seals = tables.events, tables.seals
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def till(desk: Desk) -> Desk:
    """Return a desk at which seven transactions were recorded and numbered."""
    desk.open("assets:till", {"USD": limits("0")})
    desk.open("income:sales")
    desk.record(*(transfer(str(n), reference=f"sale {n} ⚖", metadata={"ö": "1", "a": '"'}) for n in range(1, 8)))
    history.number(desk)
    return desk


def seal(desk: Desk, size_max: int = sealing.EPOCH_LEAVES_MAX) -> list[sealing.Seal]:
    """Seal all there is, and return the new seals."""
    new = []
    while True:
        with desk.at_work(readonly=True) as session:
            made = sealing.make_next(session, desk.ledger, now=LATER, size_max=size_max)
        if made is None:
            return new
        with desk.at_work() as session:
            assert sealing.store(session, made)
        new.append(made.seal)


def last_seq(desk: Desk) -> int:
    with desk.at_work(readonly=True) as session:
        return session.scalar(sa.select(sa.func.max(events.c.seq)).where(events.c.ledger_id == desk.ledger.id))


class TestSealing:
    def test_takes_all_there_is_in_epochs_that_are_chained(self, till: Desk) -> None:
        new = seal(till, size_max=3)

        assert [each.epoch for each in new] == [*range(1, len(new) + 1)]
        assert [each.first_seq for each in new] == [*range(1, last_seq(till) + 1, 3)]
        assert new[-1].last_seq == last_seq(till)
        assert new[0].previous == bytes(32)
        assert [each.previous for each in new[1:]] == [each.hash for each in new[:-1]]

    def test_makes_hashes_as_they_are_documented(self, till: Desk) -> None:
        (sealed,) = seal(till)
        header = {
            "epoch": "1",
            "first_seq": "1",
            "format": 1,
            "last_seq": str(last_seq(till)),
            "ledger": str(till.ledger.id),
            "previous": "0" * 64,
            "root": sealed.root.hex(),
            "sealed_at": "2026-11-23T13:00:00.000000Z",
        }

        text = json.dumps(header, separators=(",", ":"))

        assert sealed.header == text
        assert sealed.hash == hashlib.sha256(b"\x02" + text.encode()).digest()

    def test_does_nothing_where_there_is_nothing_new(self, till: Desk, desk: Desk) -> None:
        assert len(seal(till)) == 1
        assert seal(till) == []

    def test_goes_on_with_what_came_since(self, till: Desk) -> None:
        (first,) = seal(till)
        till.record(transfer("8"))
        history.number(till)

        (second,) = seal(till)

        assert (second.first_seq, second.previous) == (first.last_seq + 1, first.hash)

    def test_is_done_once_by_those_who_seal_at_once(self, till: Desk) -> None:
        with till.at_work(readonly=True) as session:
            one, other = (sealing.make_next(session, till.ledger, now=LATER) for _ in range(2))
        with till.at_work() as session:
            assert sealing.store(session, one)

        with till.at_work() as session:
            assert not sealing.store(session, other)

        with till.at_work(readonly=True) as session:
            assert sealing.make_next(session, till.ledger, now=LATER) is None
            assert len(queries.list_seals(session, till.ledger, after=None, limit=9)) == 1

    def test_refuses_a_gap(self, till: Desk) -> None:
        with till.at_work() as session:
            is_third = (events.c.ledger_id == till.ledger.id, events.c.seq == 3)
            session.execute(sa.update(events).where(*is_third).values(seq=None))

        with till.at_work(readonly=True) as session, pytest.raises(errors.Unsealable, match="myapp verify"):
            sealing.make_next(session, till.ledger, now=LATER)

    def test_sends_as_many_statements_for_one_event_as_for_a_portion(self, till: Desk, engine: Engine) -> None:
        for size_max in (1, leaves.EVENTS_AT_ONCE):
            with till.at_work(readonly=True) as session, count_statements(engine) as statements:
                sealing.make_next(session, till.ledger, now=LATER, size_max=size_max)
            assert len(statements) <= 7


class TestLeaves:
    def test_are_the_same_on_every_database(self, till: Desk) -> None:
        """The text is spelled out, so that neither a database nor a release can change it unnoticed."""
        with till.at_work(readonly=True) as session:
            leaf = next(
                each
                for each in leaves.read(session, till.ledger.id, first_seq=1, last_seq=99)
                if each.type == "transaction.posted"
            )
        said = json.loads(leaf.text)
        till_line, sales_line = said.pop("postings")

        assert leaf.text == json.dumps(json.loads(leaf.text), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        assert said.pop("transaction") == {
            "id": str(leaf.event_id),
            "status": "posted",
            "reference": "sale 1 ⚖",
            "description": None,
            "effective_at": "2026-11-23T12:00:00.000000Z",
            "recorded_at": "2026-11-23T12:00:00.000000Z",
            "expires_at": None,
            "metadata": {"a": '"', "ö": "1"},
            "pending_of": None,
            "reverses": None,
        }
        assert {**till_line, "account_id": None} == {
            "line": 0,
            "account_id": None,
            "account": "assets:till",
            "account_type": "asset",
            "currency": "USD",
            "exponent": 2,
            "side": "debit",
            "effect": "posted",
            "amount": "100",
            "debits_posted": "100",
            "credits_posted": "0",
            "debits_pending": "0",
            "credits_pending": "0",
            "balance_version": "1",
            "effective_at": "2026-11-23T12:00:00.000000Z",
        }
        assert (sales_line["account"], sales_line["side"]) == ("income:sales", "credit")
        assert said.keys() == {"format", "ledger", "seq", "place", "event", "type", "payload", "recorded_at"}
        assert (said["format"], said["ledger"], said["type"]) == (1, str(till.ledger.id), "transaction.posted")

    def test_are_of_every_event(self, till: Desk) -> None:
        with till.at_work(readonly=True) as session:
            found = list(leaves.read(session, till.ledger.id, first_seq=1, last_seq=99))

        assert [leaf.seq for leaf in found] == [*range(1, last_seq(till) + 1)]


class TestProof:
    def test_leads_to_the_root_from_the_leaf(self, till: Desk) -> None:
        seal(till, size_max=5)
        with till.at_work(readonly=True) as session:
            ids = session.scalars(sa.select(tables.transactions.c.id).filter_by(ledger_id=till.ledger.id)).all()
            for transaction_id in ids:
                proof = queries.get_proof(session, till.ledger, transaction_id)
                hashes = merkle.split(session.scalars(
                    sa.select(seals.c.leaves).filter_by(ledger_id=till.ledger.id, epoch=proof.seal.epoch)
                ).one())  # fmt: skip
                assert hashes[proof.index] == merkle.leaf_hash(proof.leaf)
                assert json.loads(proof.leaf)["transaction"]["id"] == str(transaction_id)
                assert proof.path == merkle.path(hashes, proof.index)
                assert merkle.root(hashes) == proof.seal.root

    def test_is_refused_for_what_is_not_sealed_yet(self, till: Desk) -> None:
        recorded = till.record(transfer("1")).transactions[0].id

        for seq in (None, history.number):
            if seq is not None:
                seq(till)
            with till.at_work(readonly=True) as session, pytest.raises((errors.NotSealed, errors.NotFound)):
                queries.get_proof(session, till.ledger, recorded)
        with till.at_work(readonly=True) as session, pytest.raises(errors.NotSealed, match="myapp seal"):
            queries.get_proof(session, till.ledger, recorded)
