"""The benches, a module each: `BENCH` is something with a `name`, a `title` and a `run`; see `compare.Comparison`."""
