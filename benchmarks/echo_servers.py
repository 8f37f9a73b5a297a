"""Two gRPC servers that do nothing but answer: one on an event loop, one on threads."""

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection

import grpc

METHOD = "/benchmarks.Echo/Answer"
ADDRESS = "127.0.0.1:0"
THREADS = 8
Ask = Callable[[bytes], bytes]
_processes = multiprocessing.get_context("spawn")  # gRPC does not survive a fork


@contextmanager
def echo_server(serve: Callable[[Connection], None]) -> Iterator[str]:
    """Yield the address of a server that runs in a process of its own; `serve` is one of the two below."""
    ours, theirs = _processes.Pipe()
    process = _processes.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


@contextmanager
def caller(address: str) -> Iterator[Ask]:
    """Yield a function that asks the server and returns its answer."""
    with grpc.insecure_channel(address) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        yield lambda request: bytes(call(request))


def serve_on_loop(started: Connection) -> None:
    """Serve with `grpc.aio`, sending the port when it is open."""
    asyncio.run(_serve_on_loop(started))


def serve_on_threads(started: Connection) -> None:
    """Serve with the server of threads, sending the port when it is open."""

    def answer(request: bytes, _context: grpc.ServicerContext) -> bytes:
        return request

    server = grpc.server(ThreadPoolExecutor(THREADS))
    server.add_generic_rpc_handlers((_handler(answer),))
    port = server.add_insecure_port(ADDRESS)
    server.start()
    started.send(port)
    server.wait_for_termination()


async def _serve_on_loop(started: Connection) -> None:
    async def answer(request: bytes, _context: object) -> bytes:
        return request

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_handler(answer),))
    port = server.add_insecure_port(ADDRESS)
    await server.start()
    started.send(port)
    await server.wait_for_termination()


def _handler(answer: Callable[..., object]) -> grpc.GenericRpcHandler:
    service, method = METHOD[1:].split("/")
    return grpc.method_handlers_generic_handler(service, {method: grpc.unary_unary_rpc_method_handler(answer)})
