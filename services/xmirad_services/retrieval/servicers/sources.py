"""What is asked with, from the messages that hold it: searches, explanations, and feedback within these."""

from collections.abc import Sequence
from typing import Any

from xmirad.api import checks
from xmirad.api.conversion import embedding_from_proto, item_from_proto
from xmirad.api.images import encoded_image_from_proto
from xmirad.api.limits import MAX_FEEDBACK_ITEMS
from xmirad.api.v1 import resources_pb2
from xmirad.archive.feedback import Judgments
from xmirad.errors import InvalidRequestError
from xmirad.types import EncodedImage
from xmirad_services.retrieval.queries import Source


def source_from_proto(
    message: Any,  # noqa: ANN401 - three messages have the oneof `source`
    *,
    archive: str,
    max_image_bytes: int,
    field: str = "",
) -> tuple[Source, Judgments | None]:
    """Read what a message at `field` asks with, and what the reader thinks of earlier results.

    Raises:
        XmiradError: If nothing is asked with, or a field is not allowed.
    """
    if message.WhichOneof("source") != "feedback":
        return _source(message, archive=archive, max_image_bytes=max_image_bytes, field=field), None
    feedback, path = message.feedback, f"{field}.feedback".lstrip(".")
    source = _source(feedback, archive=archive, max_image_bytes=max_image_bytes, field=path)
    judged = _judgments(feedback, archive=archive, field=path)
    if isinstance(source, str) and source in judged.negatives:
        refusal = f"{path}.negative_items must not name the query's own item"
        raise InvalidRequestError(refusal, field=f"{path}.negative_items")
    return source, judged


def _source(message: Any, *, archive: str, max_image_bytes: int, field: str) -> Source:  # noqa: ANN401
    prefix = f"{field}." if field else ""
    source = message.WhichOneof("source")
    if source is None:
        kinds = [prefix + each.name for each in message.DESCRIPTOR.oneofs_by_name["source"].fields]
        names = f"{', '.join(kinds[:-1])} and {kinds[-1]}"
        raise InvalidRequestError(f"one of {names} must be set", field=field or "source")
    if source == "item":
        return item_from_proto(message.item, archive=archive, field=f"{prefix}item")
    if source == "embedding":
        return embedding_from_proto(message.embedding, field=f"{prefix}embedding")
    image: EncodedImage = encoded_image_from_proto(message, max_image_bytes=max_image_bytes, field=field)
    return image


def _judgments(feedback: resources_pb2.Feedback, *, archive: str, field: str) -> Judgments:
    judged = Judgments(
        positives=_items(feedback.positive_items, archive=archive, field=f"{field}.positive_items"),
        negatives=_items(feedback.negative_items, archive=archive, field=f"{field}.negative_items"),
    )
    if not judged.items:
        message = f"{field} needs at least one of positive_items and negative_items"
        raise InvalidRequestError(message, field=field, metadata={"min_count": "1"})
    if both := set(judged.positives) & set(judged.negatives):
        message = f"{field} names an item as positive and as negative"
        metadata = {"item": f"archives/{archive}/items/{min(both)}"}
        raise InvalidRequestError(message, field=f"{field}.negative_items", metadata=metadata)
    return judged


def _items(names: Sequence[str], *, archive: str, field: str) -> tuple[str, ...]:
    checks.at_most(len(names), MAX_FEEDBACK_ITEMS, field=field)
    items = (item_from_proto(name, archive=archive, field=f"{field}[{at}]") for at, name in enumerate(names))
    return tuple(dict.fromkeys(items))
