"""How a client shows who it is, and knows whom it talks to."""

from dataclasses import dataclass, field
from pathlib import Path

import grpc

from xmirad.addresses import is_loopback
from xmirad.api.errors import REQUEST_ID_KEY
from xmirad.client.tracing import trace_metadata
from xmirad.errors import InvalidRequestError
from xmirad.secret_files import read_file, read_secret

TOKEN_KEY = "authorization"  # noqa: S105 - the name of a metadata entry
Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client needs for a service that is locked. Files are the settings `client.*` of the command line.

    Attributes:
        token: A bearer token, or an empty string.
        token_file: A file of it instead, read with every call, so that a new token is used at once.
        ca_file: Certificates (PEM) that sign the service's; with it the connection is TLS.
        certificate_file: The client's own certificate chain (PEM), for mutual TLS.
        key_file: The private key of that certificate (PEM).
        insecure: Send the token even to another machine without TLS.
    """

    token: str = field(default="", repr=False)
    token_file: Path | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    insecure: bool = False

    def check(self, address: str) -> None:
        """Refuse to show the token to everyone on the way to an address.

        Raises:
            InvalidRequestError: If the token would leave this machine without TLS, or parts are missing.
        """
        if (self.certificate_file is None) is not (self.key_file is None):
            raise InvalidRequestError("client.certificate_file and client.key_file belong together", field="client")
        if self.certificate_file is not None and self.ca_file is None:
            message = "a client's certificate needs TLS: set client.ca_file"
            raise InvalidRequestError(message, field="client.ca_file")
        has_token = bool(self.token or self.token_file)
        if has_token and self.ca_file is None and not self.insecure and not is_loopback(address):
            message = f"the token would be sent to {address} without TLS: set client.ca_file, or client.insecure"
            raise InvalidRequestError(message, field="client.ca_file", metadata={"address": address})

    def channel(self) -> grpc.ChannelCredentials | None:
        """Return what a TLS channel is made with, or None for one without TLS.

        Raises:
            InvalidRequestError: If a file cannot be read.
        """
        if self.ca_file is None:
            return None
        roots = read_file(self.ca_file, setting="client.ca_file")
        if self.certificate_file is None or self.key_file is None:
            return grpc.ssl_channel_credentials(roots)
        key = read_file(self.key_file, setting="client.key_file")
        chain = read_file(self.certificate_file, setting="client.certificate_file")
        return grpc.ssl_channel_credentials(roots, key, chain)

    def metadata(self, request_id: str) -> Metadata:
        """Return what a call of this request id carries.

        Raises:
            InvalidRequestError: If the token's file cannot be read.
        """
        token = self.token
        if self.token_file is not None:
            token = read_secret(self.token_file, setting="client.token_file")
        identified = ((REQUEST_ID_KEY, request_id), *trace_metadata())
        return (*identified, (TOKEN_KEY, f"Bearer {token}")) if token else identified


NO_CREDENTIALS = Credentials()
