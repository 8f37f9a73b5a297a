"""Figures of merit of a ranking, and how sure one can be of them. numpy only; nothing here knows of images or services.

A ranking is a boolean array, best result first: True where the result is relevant, which means that it shares a label
with the query. The query itself is never part of it.
"""
