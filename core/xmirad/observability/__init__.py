"""Logs and metrics of the deployables.

Library code logs events with `logging.getLogger(__name__)` and never configures anything; a deployable calls
`configure_logging` once and passes a metrics object to whoever counts. Needs the `server` extra.
"""
