"""Decide which posting a bank line means: certain, proposed, or nothing found. Pure.

Certain is only a transaction whose reference the bank gives, with the amount, the currency and the direction. All else
is proposed: postings of that amount within so many days, the likeliest first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from myapp.ledger.bank.model import PROPOSALS_MAX

# What a score is made of; together 100.
SCORE_AMOUNT = 40
SCORE_DAY = 20
SCORE_ONLY = 20
SCORE_WORDS = 20

REFERENCE_DETAILS = ("reference", "end_to_end_id")
TEXT_DETAILS = ("text", "counterparty")
# What banks write where there is nothing to write.
NO_REFERENCES = {"NOTPROVIDED", "NONREF", "NONE"}
# Shorter ones, and those without a digit, are words of everyday.
REFERENCE_LENGTH_MIN = 4
REFERENCE_LENGTH_MAX = 200
WORD_LENGTH_MIN = 4

_MARKS = ".,;:()[]{}<>\"'*#"
_PARTS = re.compile(r"[/|,;+]")
_WORD = re.compile(r"\w+")

PostingKey = tuple[UUID, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A line that has no match yet.

    `references` are what in the bank's words may be references of ours; `rejected` are the postings it must not be
    proposed again.
    """

    id: UUID
    booked_on: date
    details: Mapping[str, str]
    references: Collection[str] = ()
    rejected: frozenset[PostingKey] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A posting of the right amount, currency and side that has no match yet."""

    key: PostingKey
    effective_at: datetime
    reference: str | None
    description: str | None
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    candidate: Candidate
    score: int
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class Decisions:
    """By line: the candidate it certainly means, or what to propose, the likeliest first."""

    matched: Mapping[UUID, Candidate]
    proposed: Mapping[UUID, Sequence[Scored]]


def references(details: Mapping[str, str]) -> Collection[str]:
    """Return what in a bank's words may be a reference of ours: its fields for that, and words with digits."""
    fields = {details.get(name, "").strip() for name in REFERENCE_DETAILS}
    words = {word for name in TEXT_DETAILS for word in details.get(name, "").split()}
    parts = {part for word in words for part in (word, *_PARTS.split(word))}
    found = fields | {part.strip(_MARKS) for part in parts}
    return {each for each in found if _may_be_reference(each)}


def decide(wanted: Sequence[Wanted], candidates: Mapping[UUID, Sequence[Candidate]], *, days: int) -> Decisions:
    """Decide about lines in their order; `candidates` has those of each line, near in time or by reference."""
    matched: dict[UUID, Candidate] = {}
    taken: set[PostingKey] = set()
    for line in wanted:
        certain = [each for each in _free(line, candidates, taken) if _is_named(line, each)]
        if len(certain) == 1:
            matched[line.id] = certain[0]
            taken.add(certain[0].key)
    near = {
        line.id: [
            each for each in _free(line, candidates, taken) if _distance(line, each) <= days or _is_named(line, each)
        ]
        for line in wanted
        if line.id not in matched
    }
    claims = Counter(each.key for some in near.values() for each in some)
    proposed = {line.id: _ranked(line, near[line.id], claims, days) for line in wanted if near.get(line.id)}
    return Decisions(matched, proposed)


def _may_be_reference(text: str) -> bool:
    is_long_enough = REFERENCE_LENGTH_MIN <= len(text) <= REFERENCE_LENGTH_MAX
    return is_long_enough and any(each.isdigit() for each in text) and text.upper() not in NO_REFERENCES


def _free(
    line: Wanted, candidates: Mapping[UUID, Sequence[Candidate]], taken: Collection[PostingKey]
) -> Iterator[Candidate]:
    for each in candidates.get(line.id, ()):
        if each.key not in taken and each.key not in line.rejected:
            yield each


def _is_named(line: Wanted, candidate: Candidate) -> bool:
    return candidate.reference is not None and candidate.reference in line.references


def _distance(line: Wanted, candidate: Candidate) -> int:
    return abs((candidate.effective_at.date() - line.booked_on).days)


def _ranked(
    line: Wanted, candidates: Sequence[Candidate], claims: Mapping[PostingKey, int], days: int
) -> Sequence[Scored]:
    is_only = len(candidates) == 1 and claims[candidates[0].key] == 1
    scored = [_score(line, each, is_only=is_only, days=days) for each in candidates]
    return sorted(scored, key=lambda each: (-each.score, _distance(line, each.candidate), each.candidate.key))[
        :PROPOSALS_MAX
    ]


def _score(line: Wanted, candidate: Candidate, *, is_only: bool, days: int) -> Scored:
    reasons = ["same amount"]
    distance = _distance(line, candidate)
    score = SCORE_AMOUNT + SCORE_DAY * max(0, days + 1 - distance) // (days + 1)
    reasons.append("same day" if distance == 0 else "1 day apart" if distance == 1 else f"{distance} days apart")
    if is_only:
        score += SCORE_ONLY
        reasons.append("the only one of this amount")
    shared = _shared_words(line, candidate)
    if shared:
        score += min(SCORE_WORDS, SCORE_WORDS * len(shared) // 2)
        reasons.append(f"words in common: {', '.join(shared)}")
    return Scored(candidate=candidate, score=score, reasons=reasons)


def _shared_words(line: Wanted, candidate: Candidate) -> Sequence[str]:
    ours = _words(candidate.reference or "", candidate.description or "", *candidate.metadata.values())
    return sorted(ours & _words(*line.details.values()))[:PROPOSALS_MAX]


def _words(*texts: str) -> set[str]:
    return {word for text in texts for word in _WORD.findall(text.casefold()) if len(word) >= WORD_LENGTH_MIN}
