"""What an evaluation tells beyond how good the rankings are: sources, confusion, calibration, and what is unknown.

`studying` takes from each ranking what is needed while it arrives; the other modules sum up.
"""
