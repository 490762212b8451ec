"""What an answer about seals holds. Hashes are in hexadecimal."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from msgspec import Meta

from myapp.api.fields import Moment
from myapp.api.schemas import Output

HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="A SHA-256 in hexadecimal.", examples=[HASH])]
Seq = Annotated[int, Meta(ge=1, examples=[1])]


class Seal(Output, kw_only=True):
    """One epoch of events, sealed; `hash` is what to publish."""

    ledger_id: UUID
    epoch: Seq
    first_seq: Seq
    last_seq: Seq
    root: Annotated[Hash, Meta(description="The root of the Merkle tree over the epoch's events.")]
    previous: Annotated[Hash, Meta(description="The hash of the seal before; zeros for the first.")]
    hash: Annotated[Hash, Meta(description="The SHA-256 of the byte 2 and `header`.")]
    sealed_at: Moment
    header: Annotated[str, Meta(description="The text that `hash` is made of.", examples=['{"epoch":"1"}'])]


class Proof(Output, kw_only=True):
    """That a transaction is in a sealed epoch. docs/verify_proof.py checks it without this service."""

    leaf: Annotated[str, Meta(description="All that is sealed of the transaction.", examples=['{"format":1}'])]
    index: Annotated[int, Meta(ge=0, description="Its place in the epoch.", examples=[0])]
    size: Annotated[int, Meta(ge=1, description="How many the epoch has.", examples=[1])]
    path: Annotated[list[Hash], Meta(description="The hashes beside its way to the root, from the bottom up.")]
    seal: Seal
