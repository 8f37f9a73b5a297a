"""How cost grows with the archive: `make bench-scale`, or `python -m benchmarks.scale`.

Every cell, which is a number of items, an embedding size and an index of the embedded store, is built in one process
and questioned in another, so that memory is that cell's alone, and its figures are written down before the next one
begins: a run that was broken off goes on where it stopped. Vectors are drawn from a mixture that is fitted to real
embeddings (`mixture.py`); the archives are made and searched by the product's own code.
"""
