"""Turn seals and proofs into what the API answers: hashes in hexadecimal."""

from __future__ import annotations

from myapp.api.seals import schemas
from myapp.ledger import queries


def seal(of: queries.Seal) -> schemas.Seal:
    return schemas.Seal(
        ledger_id=of.ledger_id,
        epoch=of.epoch,
        first_seq=of.first_seq,
        last_seq=of.last_seq,
        root=of.root.hex(),
        previous=of.previous.hex(),
        hash=of.hash.hex(),
        sealed_at=of.sealed_at,
        header=of.header,
    )


def proof(of: queries.Proof) -> schemas.Proof:
    return schemas.Proof(
        leaf=of.leaf,
        index=of.index,
        size=of.seal.size,
        path=[each.hex() for each in of.path],
        seal=seal(of.seal),
    )
