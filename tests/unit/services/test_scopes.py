"""The table of scopes covers everything that the server offers."""

import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from xmirad.access.caller import Scope
from xmirad.api.v1 import archive_service_pb2 as a
from xmirad.api.v1 import explanation_service_pb2 as e
from xmirad.api.v1 import resources_pb2
from xmirad.api.v1 import retrieval_service_pb2 as r
from xmirad_services.retrieval.registration import METHODS
from xmirad_services.retrieval.scopes import (
    METHOD_SCOPES,
    REQUEST_SCOPES,
    is_open,
    scopes_of_method,
    scopes_of_request,
)

VECTOR = resources_pb2.Embedding(values=[1.0])


def test_every_method_has_a_scope_and_every_scope_a_method() -> None:
    """A new method says here who may call it; until then nobody can without every scope."""
    foreign = {
        f"{service.full_name}/{method.name}"
        for module in (health_pb2, reflection_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert set(METHOD_SCOPES) == {*METHODS, *foreign}


def test_only_health_is_open() -> None:
    opened = {method for method in METHOD_SCOPES if is_open(method)}
    assert {method.rpartition("/")[0] for method in opened} == {"grpc.health.v1.Health"}


def test_a_method_that_was_forgotten_needs_every_scope() -> None:
    assert not is_open("xmirad.v1.New/Method")
    assert scopes_of_method("xmirad.v1.New/Method") == frozenset(Scope)


def test_every_request_with_a_view_an_overlay_explanations_or_a_vector_is_held_to_their_scopes() -> None:
    telling = {"view", "include_overlay", "explain_top", "embedding", "feedback", "query"}
    modules = (a, e, r)
    found = {
        message.full_name
        for module in modules
        for message in module.DESCRIPTOR.message_types_by_name.values()
        if message.name.endswith("Request") and telling & set(message.fields_by_name)
    }
    assert {message.DESCRIPTOR.full_name for message in REQUEST_SCOPES} == found  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("request_message", "needed"),
    [
        (r.SearchRequest(), set()),
        (r.SearchRequest(view=r.SEARCH_VIEW_BASIC), set()),
        (r.SearchRequest(view=r.SEARCH_VIEW_FULL), {Scope.IDENTITY}),
        (r.SearchRequest(explain_top=1), {Scope.EXPLAIN}),
        (r.SearchRequest(item="archives/a/items/b"), set()),
        (r.SearchRequest(embedding=VECTOR), {Scope.EMBEDDING}),
        (r.SearchRequest(embedding=VECTOR, explain_top=1), {Scope.EMBEDDING, Scope.EXPLAIN}),
        (r.SearchRequest(embedding=resources_pb2.Embedding()), {Scope.EMBEDDING}),
        (r.SearchRequest(feedback={"item": "archives/a/items/b"}), set()),
        (r.SearchRequest(feedback={"embedding": VECTOR}), {Scope.EMBEDDING}),
        (e.CreateExplanationRequest(query={"feedback": {"embedding": VECTOR}}), {Scope.EMBEDDING}),
        (e.CreateExplanationRequest(query={"item": "archives/a/items/b"}), set()),
        (e.CreateExplanationRequest(query={"embedding": VECTOR}), {Scope.EMBEDDING}),
        (
            e.CreateExplanationRequest(query={"embedding": VECTOR}, include_overlay=True),
            {Scope.EMBEDDING, Scope.IDENTITY},
        ),
        (e.BatchCreateExplanationsRequest(query={"embedding": VECTOR}), {Scope.EMBEDDING}),
        (e.BatchCreateExplanationsRequest(), set()),
        (a.GetItemRequest(), set()),
        (a.GetItemRequest(view=resources_pb2.ITEM_VIEW_FULL), {Scope.IDENTITY}),
        (a.ListItemsRequest(view=resources_pb2.ITEM_VIEW_EMBEDDING), {Scope.IDENTITY, Scope.EMBEDDING}),
        (e.GetExplanationRequest(include_overlay=True), {Scope.IDENTITY}),
        (e.GetExplanationRequest(), set()),
        (e.DeleteExplanationRequest(), set()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_request_asks_to_see_takes_more_scopes(request_message: object, needed: set[Scope]) -> None:
    assert scopes_of_request(request_message) == needed
