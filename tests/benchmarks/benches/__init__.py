"""The benches, a module each, found by its name: `make bench-record` runs the `BENCH` of record.py.

What a `BENCH` is says bench.py. `compare.Comparison` is one, for any requests and sides; `series.Series` is several.
"""
