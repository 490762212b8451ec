"""Who waits for what, and for how long."""
