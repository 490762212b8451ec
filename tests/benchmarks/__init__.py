"""Experiments and measurements, run on demand; what the tests run of them is small and times nothing."""
