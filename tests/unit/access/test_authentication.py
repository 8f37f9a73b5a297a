"""From the metadata of a call to its caller."""

import pytest

from xmirad.access.authentication import REFUSED, Authenticator
from xmirad.access.caller import Caller, Scope
from xmirad.errors import UnauthenticatedError

VIEWER = Caller("viewer", "local", frozenset({Scope.READ}))


class OneToken:
    """Accepts the token `right`."""

    def caller_of(self, token: str) -> Caller | None:
        return VIEWER if token == "right" else None


@pytest.mark.parametrize("header", ["", "right", "Basic right", "Bearer", "Bearer ", "Bearer  right", "Bearer wrong"])
def test_whatever_is_no_accepted_bearer_token_is_refused_with_one_message(header: str) -> None:
    authenticator = Authenticator([OneToken()])
    assert authenticator.caller_of("bearer right") == VIEWER
    with pytest.raises(UnauthenticatedError) as caught:
        authenticator.caller_of(header)
    assert caught.value.message == REFUSED
    assert caught.value.metadata == {}
