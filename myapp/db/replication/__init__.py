"""Primary or replica: where a unit of work reads, and how a client sees what it has written."""
