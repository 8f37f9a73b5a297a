"""Measures speed and size: `make bench`, or `python -m benchmarks SUITE …`.

Every figure is a ratio to a baseline that is measured beside it in the same run, so that it means the same on another
machine. `figures.py` says what a figure is, `reference.py` compares a run with the one that is checked in, `suites/`
has what is measured. Nothing here is a test, and no test judges times.
"""
