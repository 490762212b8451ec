"""Prices: what one unit of a currency is worth in another, for reports that are valued."""
