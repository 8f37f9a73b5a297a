"""Measures speed and size: `make bench`, or `python -m benchmarks SUITE …`.

Every figure is a ratio to a baseline that is measured beside it in the same run, so that it means the same on another
machine. `figures.py` says what a figure is, `suites/` has what is measured, `rivals.py` what occlusion has beside it.
`document.py` keeps runs as JSON, `reference.py` compares one with that which is checked in, `promises.toml` says what
must be reached and why it is not, and `page.py` makes `docs/performance.md` of all that. Nothing here is a test, and no
test judges times.
"""
