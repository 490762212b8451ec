"""The benches, a module each, found by its name: `make bench-record` runs the `BENCH` of record.py.

A `BENCH` has a title; `run` makes findings, which can say whether all was well and turn into JSON; `render` and `draw`
show them. `compare.Comparison` is one, for any requests and sides.
"""
