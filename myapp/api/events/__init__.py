"""The events of a ledger, for those who follow it."""
