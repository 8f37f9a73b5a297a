"""The settings of the door: who may come in, and how clients show who they are."""

from enum import StrEnum

from pydantic import Field

from xmirad.settings_base import FilePath, SettingsGroup


class JwtAlgorithm(StrEnum):
    """How an identity provider may sign: with a key of its own, never with one that both sides know."""

    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    ES256 = "ES256"
    ES384 = "ES384"
    EDDSA = "EdDSA"


class SecuritySettings(SettingsGroup):
    """Who may call the retrieval service."""

    tls_certificate_file: FilePath | None = Field(
        None, description="Certificate chain of the service (PEM). With it the port speaks TLS only."
    )
    tls_key_file: FilePath | None = Field(None, description="Private key of that certificate (PEM).")
    client_ca_file: FilePath | None = Field(
        None, description="Certificates (PEM) that sign those of clients. With it every client must show one."
    )
    tokens: bool = Field(
        False,
        description="Ask every caller for a token, such as `xmirad tokens create` makes. Over the home's socket none.",
    )
    jwt_key_file: FilePath | None = Field(
        None, description="Public key (PEM) of the identity provider. With it JSON Web Tokens are accepted."
    )
    jwt_issuer: str = Field("", description="`iss` that JSON Web Tokens must have.")
    jwt_audience: str = Field("", description="`aud` that JSON Web Tokens must have.")
    jwt_algorithm: JwtAlgorithm = Field(
        JwtAlgorithm.RS256, description="The one algorithm by which JSON Web Tokens may be signed."
    )
    insecure: bool = Field(False, description="Listen beyond this machine although no tokens are asked for.")
    calls_per_second: float = Field(500.0, gt=0, description="Calls that a token's owner may make in the long run.")
    burst_calls: int = Field(1_000, ge=1, description="Calls that a token's owner may make at once.")
    concurrent_calls: int = Field(
        16,
        ge=1,
        description="Calls of a token's owner that may be under way; less than server.max_concurrent_requests.",
    )


class ClientSettings(SettingsGroup):
    """How the command line shows who it is to a service that is not its own."""

    token_file: FilePath | None = Field(None, description="File of the token that every call carries.")
    ca_file: FilePath | None = Field(
        None, description="Certificates (PEM) that sign the service's. With it the connection is TLS."
    )
    certificate_file: FilePath | None = Field(None, description="Certificate chain of the client (PEM).")
    key_file: FilePath | None = Field(None, description="Private key of that certificate (PEM).")
    insecure: bool = Field(False, description="Send the token to another machine without TLS.")
