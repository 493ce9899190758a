"""Benchmarks: speed as a ratio to a floor that is measured in the same run, on the same machine, right beside it."""
