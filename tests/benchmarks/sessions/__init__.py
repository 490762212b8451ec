"""Creating against reusing a session: the same small application served in several ways, and what each way costs.

    make bench-sessions

`strategies` are the ways; `views` and `work` are the application; `staleness`, `failures`, `leftovers`, `statements`,
`cpu` and `memory` measure one thing each; `experiment` runs all of them, `table` and `plot` show what was found. The
findings are in docs/sessions.md.
"""
