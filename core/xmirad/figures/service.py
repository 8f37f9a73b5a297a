"""What drawing needs of a client; `xmirad.client.client.Client` has it."""

from collections.abc import Sequence
from typing import Protocol

from xmirad.api.vocabulary import ItemView
from xmirad.client.types import Item
from xmirad.evaluation.service import Service


class FiguresService(Service, Protocol):
    """A running service, seen through the SDK."""

    def batch_get_items(self, archive: str, names: Sequence[str], *, view: ItemView) -> list[Item]:
        """Return the items of an archive that exist, in the order asked for."""

    def item_image(self, name: str) -> bytes:
        """Return what the model saw of an item, as PNG."""
