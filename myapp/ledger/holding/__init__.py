"""Holds: pending transactions that reserve, until they are posted, voided or expire."""
