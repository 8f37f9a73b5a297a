"""Two reports side by side: the same queries in two runs, and whether the difference is more than chance.

`comparing.compare` is the entrance.
"""
