"""What hledger prints as JSON, as a plan."""
