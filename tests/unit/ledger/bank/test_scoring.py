from __future__ import annotations

import uuid
from datetime import UTC, date, datetime

import pytest

from myapp.ledger.bank import scoring
from myapp.ledger.bank.scoring import Candidate, Wanted

DAY = date(2026, 1, 31)


def wanted(text: str = "", day: date = DAY) -> Wanted:
    details = {"text": text}
    return Wanted(id=uuid.uuid4(), booked_on=day, details=details, references=scoring.references(details))


def candidate(reference: str | None = None, day: int = 31, description: str | None = None) -> Candidate:
    at = datetime(2026, 1, day, tzinfo=UTC)
    return Candidate(key=(uuid.uuid4(), 0), effective_at=at, reference=reference, description=description, metadata={})


class TestReferences:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("Invoice INV-1001, thanks", {"INV-1001"}),
            ("(INV-1001)/INV-1002;INV-1003", {"INV-1001)/INV-1002;INV-1003", "INV-1001", "INV-1002", "INV-1003"}),
            ("Thank you very much", set()),
            ("A1 99", set()),
            ("R" * 199 + "1", {"R" * 199 + "1"}),
            ("R" * 200 + "1", set()),
        ],
    )
    def test_are_words_with_a_digit(self, text: str, found: set[str]):
        assert scoring.references({"text": text}) == found

    def test_are_what_the_bank_calls_so_but_not_what_says_that_there_is_none(self):
        details = {"reference": "RF18 5390 0754", "end_to_end_id": "NOTPROVIDED", "counterparty_account": "DE75512"}

        assert scoring.references(details) == {"RF18 5390 0754"}


class TestDecide:
    def test_is_not_certain_of_two_that_are_both_named(self):
        line = wanted("INV-1001 INV-1002")
        both = [candidate("INV-1001"), candidate("INV-1002")]

        decided = scoring.decide([line], {line.id: both}, days=5)

        assert decided.matched == {}
        assert {each.candidate.reference for each in decided.proposed[line.id]} == {"INV-1001", "INV-1002"}

    def test_gives_what_is_named_by_two_to_the_first(self):
        lines, one = [wanted("INV-1001"), wanted("INV-1001")], candidate("INV-1001")

        decided = scoring.decide(lines, {line.id: [one] for line in lines}, days=5)

        assert decided.matched == {lines[0].id: one}
        assert decided.proposed == {}

    def test_calls_nothing_the_only_one_that_two_lines_may_mean(self):
        lines, one = [wanted(), wanted()], candidate()

        decided = scoring.decide(lines, {line.id: [one] for line in lines}, days=5)

        assert [decided.proposed[line.id][0].score for line in lines] == [60, 60]

    def test_never_scores_above_a_hundred(self):
        line, one = wanted("rent january munich office"), candidate(description="Rent of January, Munich office")

        (scored,) = scoring.decide([line], {line.id: [one]}, days=5).proposed[line.id]

        assert scored.score == 100

    @pytest.mark.parametrize(("days", "day", "score"), [(0, 31, 80), (5, 26, 63), (366, 1, 78)])
    def test_scores_less_the_farther_apart_they_are(self, days: int, day: int, score: int):
        line, one = wanted(), candidate(day=day)

        assert scoring.decide([line], {line.id: [one]}, days=days).proposed[line.id][0].score == score
