"""What an archive will cost before it is there: memory, disk, nodes and workers.

Pure arithmetic on measured coefficients: `coefficients.json` holds them and says by which command they were measured;
`growth`, `costs` and `plan` are the formulas.
"""
