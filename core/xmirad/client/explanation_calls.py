"""The calls of the client that explain."""

from collections.abc import Sequence
from uuid import uuid4

from xmirad.api.v1 import explanation_service_pb2 as pb
from xmirad.api.vocabulary import ExplanationPriority
from xmirad.client import explanation_parsing, explanation_requests
from xmirad.client.calls import Call, Page, call, nothing
from xmirad.client.explanation_types import Explanation, Method
from xmirad.client.search_types import SearchSource
from xmirad.saliency.method import ExplainedImage


def create_explanation(
    source: SearchSource,
    item: str,
    *,
    method: Method,
    explained_image: ExplainedImage,
    contrast_item: str,
    published_fidelity: bool,
    priority: ExplanationPriority,
    include_overlay: bool,
) -> Call[Explanation]:
    """Ask for a pair to be explained."""
    request = explanation_requests.create_request(
        source,
        item,
        method=method,
        explained_image=explained_image,
        contrast_item=contrast_item,
        published_fidelity=published_fidelity,
        priority=priority,
        include_overlay=include_overlay,
    )
    return call(
        lambda stubs: stubs.explanations.CreateExplanation,
        request,
        lambda answer: explanation_parsing.explanation(answer.explanation),
    )


def create_explanations(
    source: SearchSource,
    items: Sequence[str],
    *,
    method: Method,
    explained_image: ExplainedImage,
    contrast_item: str,
    published_fidelity: bool,
    priority: ExplanationPriority,
) -> Call[list[Explanation]]:
    """Ask for one query and several results to be explained."""
    request = explanation_requests.batch_create_request(
        source,
        items,
        method=method,
        explained_image=explained_image,
        contrast_item=contrast_item,
        published_fidelity=published_fidelity,
        priority=priority,
    )
    return call(
        lambda stubs: stubs.explanations.BatchCreateExplanations,
        request,
        lambda answer: [explanation_parsing.explanation(each) for each in answer.explanations],
    )


def explanation(name: str, *, include_overlay: bool) -> Call[Explanation]:
    """Ask for an explanation."""
    return call(
        lambda stubs: stubs.explanations.GetExplanation,
        pb.GetExplanationRequest(name=name, include_overlay=include_overlay),
        lambda answer: explanation_parsing.explanation(answer.explanation),
    )


def explanations(archive: str, token: str) -> Call[Page[Explanation]]:
    """Ask for a page of explanations."""
    return call(
        lambda stubs: stubs.explanations.ListExplanations,
        explanation_requests.list_request(archive, page_token=token),
        lambda answer: Page(map(explanation_parsing.explanation, answer.explanations), answer.next_page_token),
    )


def cancel_explanation(name: str) -> Call[Explanation]:
    """Ask for an explanation to be cancelled."""
    return call(
        lambda stubs: stubs.explanations.CancelExplanation,
        pb.CancelExplanationRequest(name=name, request_id=uuid4().hex),
        lambda answer: explanation_parsing.explanation(answer.explanation),
    )


def delete_explanation(name: str) -> Call[None]:
    """Ask for an explanation to be deleted."""
    request = pb.DeleteExplanationRequest(name=name, request_id=uuid4().hex)
    return call(lambda stubs: stubs.explanations.DeleteExplanation, request, nothing)
