"""Seal what is recorded: canonical leaves, a Merkle tree over each epoch of them, and the chain of epochs.

The definitions are in docs/tamper-evidence.md, which is all that a verifier needs.
"""

from myapp.ledger.sealing.seals import EPOCH_LEAVES_MAX, Seal, find_last, make_next, store

__all__ = ["EPOCH_LEAVES_MAX", "Seal", "find_last", "make_next", "store"]
