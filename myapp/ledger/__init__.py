"""The ledger: accounts, transactions, postings and balances. Knows no HTTP; never ends a database transaction."""
