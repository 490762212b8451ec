"""Sealed epochs: the list of them, and proofs that a transaction is in one. See docs/tamper-evidence.md."""
