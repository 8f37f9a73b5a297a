"""Starts the system's processes, keeps them running and takes them all down.

Which processes there are is data (`programs.py`). Nothing here imports a server package or opens a store.
"""
