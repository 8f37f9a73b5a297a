"""Explanations as resources: what was asked, what is cached, what is yet to be computed, and who waits for it.

The blob store is the truth: requests, cache chunks and results lie there. What a `Board` and a `TaskQueue` hold may be
lost at any time; the sweeper finds what is unfinished and has it computed. The formulas are in `xmirad.saliency`.
"""
