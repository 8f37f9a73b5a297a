"""Imports: a folder that the server knows, stored in an archive by workers.

The blob store is the truth: `importing.py` writes requests and reads how far they are, `stepping.py` is what a worker
does with a task. A task carries names and numbers only, may come twice, and may take its worker with it.
"""
