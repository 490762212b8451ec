"""The ledger once more, as plainly as it can be said, to compare the real one with."""
