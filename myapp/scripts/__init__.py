"""The command line: one file per command group; each unit of work is a `session_scope`."""
