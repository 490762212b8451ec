"""Webhooks: where the events of a ledger are sent. What sends them is `myapp deliver`."""
