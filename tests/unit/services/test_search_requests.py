"""Search requests that promise what cannot be kept."""

from typing import cast

import pytest

from support.doors import come_in
from xmirad.access.caller import owner
from xmirad.api.v1 import resources_pb2
from xmirad.api.v1 import retrieval_service_pb2 as pb
from xmirad.errors import InvalidRequestError
from xmirad.observability.metrics import RetrievalMetrics
from xmirad.settings import LimitSettings
from xmirad_services.retrieval.byte_budget import ByteBudget
from xmirad_services.retrieval.explaining import Explainer
from xmirad_services.retrieval.item_details import ItemDetails
from xmirad_services.retrieval.searching import Searcher
from xmirad_services.retrieval.servicers.retrieval import RetrievalServicer


async def test_a_vector_has_no_item_of_its_own_to_exclude() -> None:
    """It would be reported as excluded by content, and come back first."""
    servicer = RetrievalServicer(
        cast("Searcher", None),
        cast("ItemDetails", None),
        cast("RetrievalMetrics", None),
        LimitSettings(),
        budget=ByteBudget(1),
        explainer=cast("Explainer", None),
    )
    request = pb.SearchRequest(
        archive="archives/chest",
        embedding=resources_pb2.Embedding(values=[1.0, 0.0]),
        top_k=1,
        exclude_query_item=True,
    )
    come_in(owner("local"))
    with pytest.raises(InvalidRequestError) as caught:
        await servicer.Search(request, None)  # type: ignore[arg-type]
    assert caught.value.field == "exclude_query_item"
