"""Exchange: a ledger as other programs read it, streamed."""
