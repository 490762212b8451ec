"""A ledger that grows to millions of postings, kept in a directory: what is in it, how it is built and asked."""
