"""A proxy before a service that loses the first answer to a method, after the service has carried the call out."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import grpc

from support.live_service import free_port


class LossyProxy(grpc.GenericRpcHandler):
    """Forwards calls with one request and one answer."""

    def __init__(self, channel: Any) -> None:  # noqa: ANN401 - gRPC's own types know no bytes
        self._channel = channel
        self._losing: set[str] = set()
        self.lost: list[str] = []
        self.address = ""

    def lose(self, method: str) -> None:
        """Lose the next answer to a method, by its short name."""
        self._losing.add(method)

    def service(self, handler_call_details: Any) -> Any:  # noqa: ANN401  # noqa: ANN401
        return grpc.unary_unary_rpc_method_handler(self._forward(handler_call_details.method))

    def _forward(self, method: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def call(request: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                answer: bytes = self._channel.unary_unary(method)(request, metadata=_own(context))
            except grpc.RpcError as error:
                failed = cast("grpc.Call", error)
                context.set_trailing_metadata(tuple(failed.trailing_metadata() or ()))
                context.abort(failed.code(), failed.details() or "")
            name = method.rpartition("/")[2]
            if name in self._losing:
                self._losing.remove(name)
                self.lost.append(name)
                context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")
            return answer

        return call


def _own(context: grpc.ServicerContext) -> tuple[tuple[str, Any], ...]:
    entries = context.invocation_metadata() or ()
    return tuple((key, value) for key, value in entries if not key.startswith(("user-agent", "grpc-")))


@contextmanager
def lossy_proxy(address: str) -> Iterator[LossyProxy]:
    """Run a proxy before the service at an address."""
    with grpc.insecure_channel(address) as channel:
        proxy = LossyProxy(channel)
        server = grpc.server(ThreadPoolExecutor(4), handlers=[proxy])
        proxy.address = f"127.0.0.1:{free_port()}"
        server.add_insecure_port(proxy.address)
        server.start()
        try:
            yield proxy
        finally:
            server.stop(None).wait()
