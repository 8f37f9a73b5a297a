"""Calls as values: what is sent to which method, and how its answer is read.

The synchronous client and its asynchronous twin make the same calls and only differ in how they wait.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.message import Message

from xmirad.client.stubs import Stubs

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Call(Generic[Value]):
    """One call of a method with one answer.

    Attributes:
        method: Picks the method.
        request: What is sent.
        parse: Reads the answer.
    """

    method: Callable[[Stubs], Any]
    request: Message
    parse: Callable[[Any], Value]


@dataclass(frozen=True, slots=True)
class Page(Generic[Value]):
    """A part of a list.

    Attributes:
        entries: What is on the page.
        next_token: Leads to the next page; empty on the last.
    """

    entries: Iterable[Value]
    next_token: str


def call(
    method: "Callable[[Stubs], grpc.UnaryUnaryMultiCallable[Request, Response]]",
    request: Request,
    parse: Callable[[Response], Value],
) -> Call[Value]:
    """Return a call; the types of request and answer must be the method's."""
    return Call(method, request, parse)


def nothing(_response: object) -> None:
    """Read an answer that says nothing."""
