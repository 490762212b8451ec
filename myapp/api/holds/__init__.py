"""Holds, until they are posted, voided or expire; and the reversal of what is posted."""
