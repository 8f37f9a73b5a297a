"""Rankings, packed into 16 bytes and one score for each item."""

from collections.abc import Iterable, Iterator
from uuid import UUID

from xmirad.api.v1 import retrieval_service_pb2
from xmirad.ids import item_name

UUID_BYTES = 16


def ranking_to_proto(items: Iterable[str], scores: Iterable[float]) -> retrieval_service_pb2.Ranking:
    """Pack item ids and their scores, best first."""
    return retrieval_service_pb2.Ranking(
        item_ids=bytes.fromhex("".join(items).replace("-", "")),
        scores=scores,
    )


def ranking_from_proto(message: retrieval_service_pb2.Ranking, *, archive: str) -> Iterator[tuple[str, float]]:
    """Unpack the names of the items and their scores, best first.

    Raises:
        ValueError: If there is not one score for each item.
    """
    ids = message.item_ids
    starts = range(0, len(ids), UUID_BYTES)
    for start, score in zip(starts, message.scores, strict=True):
        yield item_name(archive, str(UUID(bytes=ids[start : start + UUID_BYTES]))), score
