"""Evaluation over gRPC: fills an archive with a data set, replays every image as a query, and reports the figures.

A client like any other: it knows the SDK, the data set readers and the metrics, and nothing of the service's inside.
`evaluate` is the entrance; `report_json`, `report_table` and `report_html` show what it returns.
"""
