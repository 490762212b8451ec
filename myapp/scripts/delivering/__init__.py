"""`myapp deliver`: send the events of ledgers to their webhooks."""
