"""What each call needs: a scope for its method, and more for what its request asks to see."""

from collections.abc import Callable, Mapping
from typing import Any

from xmirad.access.caller import Scope
from xmirad.api.v1 import archive_service_pb2, explanation_service_pb2, resources_pb2, retrieval_service_pb2

RETRIEVAL = "xmirad.v1.RetrievalService"
ARCHIVE = "xmirad.v1.ArchiveService"
ACCESS = "xmirad.v1.AccessService"
EXPLANATION = "xmirad.v1.ExplanationService"
HEALTH = "grpc.health.v1.Health"
REFLECTION = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

METHOD_SCOPES: Mapping[str, Scope | None] = {
    f"{RETRIEVAL}/Search": Scope.READ,
    f"{RETRIEVAL}/StreamSearch": Scope.READ,
    f"{RETRIEVAL}/EmbedImage": Scope.READ,
    f"{ARCHIVE}/CreateArchive": Scope.ADMIN,
    f"{ARCHIVE}/GetArchive": Scope.READ,
    f"{ARCHIVE}/ListArchives": Scope.READ,
    f"{ARCHIVE}/RebuildArchive": Scope.ADMIN,
    f"{ARCHIVE}/DeleteArchive": Scope.ADMIN,
    f"{ARCHIVE}/SetEvidenceCalibration": Scope.ADMIN,
    f"{ARCHIVE}/GetArchiveStats": Scope.READ,
    f"{ARCHIVE}/UploadItems": Scope.ADMIN,
    f"{ARCHIVE}/CreateItem": Scope.ADMIN,
    f"{ARCHIVE}/GetItem": Scope.READ,
    f"{ARCHIVE}/ListItems": Scope.READ,
    f"{ARCHIVE}/BatchGetItems": Scope.READ,
    f"{ARCHIVE}/DeleteItem": Scope.ADMIN,
    f"{ARCHIVE}/PurgeItems": Scope.ADMIN,
    f"{ARCHIVE}/GetItemImage": Scope.IDENTITY,
    f"{ARCHIVE}/WarmArchive": Scope.ADMIN,
    f"{ARCHIVE}/CreateImport": Scope.ADMIN,
    f"{ARCHIVE}/GetImport": Scope.ADMIN,
    f"{ARCHIVE}/ListImports": Scope.ADMIN,
    f"{ARCHIVE}/WatchImport": Scope.ADMIN,
    f"{ARCHIVE}/CancelImport": Scope.ADMIN,
    f"{EXPLANATION}/CreateExplanation": Scope.EXPLAIN,
    f"{EXPLANATION}/BatchCreateExplanations": Scope.EXPLAIN,
    f"{EXPLANATION}/GetExplanation": Scope.EXPLAIN,
    f"{EXPLANATION}/ListExplanations": Scope.EXPLAIN,
    f"{EXPLANATION}/WatchExplanation": Scope.EXPLAIN,
    f"{EXPLANATION}/CancelExplanation": Scope.EXPLAIN,
    f"{EXPLANATION}/DeleteExplanation": Scope.EXPLAIN,
    f"{ACCESS}/CreateToken": Scope.ADMIN,
    f"{ACCESS}/ListTokens": Scope.ADMIN,
    f"{ACCESS}/RevokeToken": Scope.ADMIN,
    "xmirad.v1.ModelService/ListModels": Scope.READ,
    "xmirad.v1.ModelService/GetModel": Scope.READ,
    "xmirad.v1.ServerService/GetServerInfo": Scope.READ,
    REFLECTION: Scope.READ,
    f"{HEALTH}/Check": None,
    f"{HEALTH}/List": None,
    f"{HEALTH}/Watch": None,
}
"""The scope of every method by its full name; None: open to everyone, for load balancers have no token."""


def is_open(method: str) -> bool:
    """Return whether a method needs no token. One that is not in the table does."""
    return METHOD_SCOPES.get(method, Scope.ADMIN) is None


def scopes_of_method(method: str) -> frozenset[Scope]:
    """Return what a method needs: everything, if somebody forgot to say."""
    scope = METHOD_SCOPES.get(method)
    return frozenset(Scope) if scope is None else frozenset({scope})


def scopes_of_request(request: Any) -> frozenset[Scope]:  # noqa: ANN401 - a message of any method
    """Return what a request needs beyond its method's scope."""
    needed = REQUEST_SCOPES.get(type(request))
    return needed(request) if needed is not None else frozenset()


def _of_search(request: retrieval_service_pb2.SearchRequest) -> frozenset[Scope]:
    needed = _of_source(request)
    if request.view == retrieval_service_pb2.SEARCH_VIEW_FULL:
        needed.add(Scope.IDENTITY)
    if request.explain_top:
        needed.add(Scope.EXPLAIN)
    return frozenset(needed)


def _of_source(query: Any) -> set[Scope]:  # noqa: ANN401 - a search, the query of an explanation, feedback
    """Whoever may choose vectors and sees their scores can compute the vectors of items from these.

    Feedback alone chooses none: it adds up vectors whose scores its items' own searches show anyway.
    """
    source = query.WhichOneof("source")
    if source == "feedback":
        return _of_source(query.feedback)
    return {Scope.EMBEDDING} if source == "embedding" else set()


def _of_explanation(request: explanation_service_pb2.CreateExplanationRequest) -> frozenset[Scope]:
    return _of_overlay(request) | _of_source(request.query)


def _of_explanations(request: explanation_service_pb2.BatchCreateExplanationsRequest) -> frozenset[Scope]:
    return frozenset(_of_source(request.query))


def _of_item_view(request: Any) -> frozenset[Scope]:  # noqa: ANN401 - three messages have a view of items
    if request.view == resources_pb2.ITEM_VIEW_EMBEDDING:
        return frozenset({Scope.IDENTITY, Scope.EMBEDDING})
    return frozenset({Scope.IDENTITY} if request.view == resources_pb2.ITEM_VIEW_FULL else ())


def _of_overlay(request: Any) -> frozenset[Scope]:  # noqa: ANN401 - three messages ask for overlays
    """An overlay shows the picture beneath."""
    return frozenset({Scope.IDENTITY} if request.include_overlay else ())


REQUEST_SCOPES: Mapping[type, Callable[[Any], frozenset[Scope]]] = {
    retrieval_service_pb2.SearchRequest: _of_search,
    archive_service_pb2.GetItemRequest: _of_item_view,
    archive_service_pb2.ListItemsRequest: _of_item_view,
    archive_service_pb2.BatchGetItemsRequest: _of_item_view,
    explanation_service_pb2.CreateExplanationRequest: _of_explanation,
    explanation_service_pb2.BatchCreateExplanationsRequest: _of_explanations,
    explanation_service_pb2.GetExplanationRequest: _of_overlay,
    explanation_service_pb2.WatchExplanationRequest: _of_overlay,
}
