"""What a unit of work did: measured, told, and counted."""
