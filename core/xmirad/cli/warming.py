"""Has explanations of items computed ahead, for the commands that offer it."""

import time
from typing import TYPE_CHECKING

from xmirad.cli.output import Output
from xmirad.types import ItemFilter

if TYPE_CHECKING:
    from xmirad.client.client import Client
    from xmirad.client.explanation_types import WarmFigures

POLL_SECONDS = 1.0
STALLED_SECONDS = 60.0
"""After so long without progress it is asked for again, in case it was lost."""


def warm(
    client: "Client", archive: str, *, item_filter: ItemFilter, limit: int, output: Output, dry_run: bool = False
) -> "WarmFigures":
    """Say what computing ahead takes, then have it done unless it is a dry run.

    Raises:
        InvalidRequestError: If it would take more than may be kept.
    """
    figures = client.warm(archive, filter=item_filter, max_items=limit, dry_run=True)
    output.note(described(figures))
    if dry_run or not figures.missing_windows:
        return figures
    return client.warm(archive, filter=item_filter, max_items=limit)


def wait_until_warm(
    client: "Client", archive: str, *, item_filter: ItemFilter, limit: int, output: Output
) -> "WarmFigures":
    """Wait until everything is computed or given up, and show how far it is."""
    from xmirad.cli.progress import meter

    figures = client.warm(archive, filter=item_filter, max_items=limit, dry_run=True)
    moved, total = time.monotonic(), figures.missing_windows
    with meter("Computing ahead", total, output) as progress:
        while not _is_over(figures):
            time.sleep(POLL_SECONDS)
            before, figures = figures, client.warm(archive, filter=item_filter, max_items=limit, dry_run=True)
            progress.update(total - figures.missing_windows, figures.given_up_items)
            if figures.missing_windows < before.missing_windows:
                moved = time.monotonic()
            elif time.monotonic() - moved >= STALLED_SECONDS:
                if figures.given_up_items:
                    break
                output.note(f"nothing was computed for {STALLED_SECONDS:.0f} s; `xmirad queue status` says who works")
                client.warm(archive, filter=item_filter, max_items=limit)
                moved = time.monotonic()
    return figures


def _is_over(figures: "WarmFigures") -> bool:
    return figures.complete_items + figures.given_up_items >= figures.selected_items


def described(figures: "WarmFigures") -> str:
    """Say what computing ahead takes."""
    mebibyte = 1024 * 1024
    text = f"{figures.selected_items} items, {figures.complete_items} of them complete"
    if not figures.missing_windows:
        return text
    time_taken = f"about {figures.estimated_seconds:.0f} s" if figures.estimated_seconds else "an unknown time"
    size = f"{figures.estimated_bytes / mebibyte:.1f} of {figures.budget_bytes / mebibyte:.0f} MiB"
    return f"{text}; {figures.missing_windows} windows to compute take {time_taken} and {size}"
