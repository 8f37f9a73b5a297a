"""The two clients have the same methods."""

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import get_origin, get_type_hints

import pytest

from xmirad.client import Client
from xmirad.client.aio import AioClient

TAKE_ASYNCHRONOUS_INPUT = {"uploads", "searches"}


def methods(client: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(value)
        for name, value in inspect.getmembers(client, inspect.isfunction)
        if not name.startswith("_")
    }


def test_both_clients_have_the_same_methods() -> None:
    assert methods(Client).keys() == methods(AioClient).keys()


@pytest.mark.parametrize("name", ["__init__", *methods(Client)])
def test_a_method_takes_the_same_in_both_clients(name: str) -> None:
    one, other = (inspect.signature(getattr(client, name)).parameters for client in (Client, AioClient))

    assert [(each.name, each.kind, each.default) for each in one.values()] == [
        (each.name, each.kind, each.default) for each in other.values()
    ]
    for parameter in set(one) - TAKE_ASYNCHRONOUS_INPUT:
        assert one[parameter].annotation == other[parameter].annotation


@pytest.mark.parametrize("name", methods(Client))
def test_a_method_returns_the_same_in_both_clients(name: str) -> None:
    one, other = (get_type_hints(getattr(client, name))["return"] for client in (Client, AioClient))

    if get_origin(one) is Iterator:
        assert get_origin(other) is AsyncIterator
        assert one.__args__ == other.__args__
        assert not inspect.iscoroutinefunction(getattr(AioClient, name))
    else:
        assert one == other
        assert inspect.iscoroutinefunction(getattr(AioClient, name))
