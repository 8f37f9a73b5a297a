"""The asynchronous SDK: `AioClient` has the methods of `xmirad.client.Client`, to be awaited or iterated over."""

from xmirad.client.aio.client import AioClient

__all__ = ["AioClient"]
