"""`AccessService`: the tokens of the caller's site."""

import time
from functools import partial

from xmirad.access.caller import Scope
from xmirad.access.tokens import new_token, token_record
from xmirad.api import checks
from xmirad.api.conversion import time_to_proto
from xmirad.api.v1 import access_service_pb2 as pb
from xmirad.api.v1 import access_service_pb2_grpc as pb_grpc
from xmirad.catalog import tokens
from xmirad.catalog.database import Database
from xmirad.catalog.tokens import TokenRecord
from xmirad.errors import InvalidRequestError, RecordCorruptError
from xmirad.ids import parse_token_name, token_name
from xmirad.lanes import Lane, Priority
from xmirad_services.retrieval.door import current_caller
from xmirad_services.retrieval.interceptors import Context
from xmirad_services.retrieval.replays import Replays, replayable


class AccessServicer(pb_grpc.AccessServiceServicer):
    """Makes, lists and revokes tokens."""

    def __init__(self, database: Database, lane: Lane, *, replays: Replays) -> None:
        """Keep the tokens in the catalog's database."""
        self._database = database
        self._lane = lane
        self._replays = replays

    async def CreateToken(self, request: pb.CreateTokenRequest, context: Context) -> pb.CreateTokenResponse:
        """Make a token."""
        try:
            return await self._created(request)
        except InvalidRequestError as error:
            if error.field == "name":
                error.field = "token_id"
            raise

    async def ListTokens(self, request: pb.ListTokensRequest, context: Context) -> pb.ListTokensResponse:
        """List the tokens that are in force or have expired, by name."""
        size = checks.page_size(request.page_size)
        after = checks.word(request.page_token, field="page_token")
        read = partial(tokens.page_of_tokens, site=current_caller().site, after=after, limit=size + 1)
        found = await self._lane.run(Priority.INTERACTIVE, self._database.read, read)
        page = [_message(each) for each in found[:size]]
        more = len(found) > size
        return pb.ListTokensResponse(tokens=page, next_page_token=page[-1].name.partition("/")[2] if more else "")

    @replayable(pb.RevokeTokenResponse, deletes=True)
    async def RevokeToken(self, request: pb.RevokeTokenRequest, context: Context) -> pb.RevokeTokenResponse:
        """Revoke a token for good."""
        name = parse_token_name(request.name, field="name")
        revoke = partial(tokens.revoke_token, site=current_caller().site, name=name, now=time.time())
        await self._lane.run(Priority.INTERACTIVE, self._database.write, revoke)
        return pb.RevokeTokenResponse()

    async def _created(self, request: pb.CreateTokenRequest) -> pb.CreateTokenResponse:
        caller, secret = current_caller(), new_token()
        record = _checked(request, secret, site=caller.site)
        caller.require(record.scopes)
        made, told = pb.CreateTokenResponse(token=_message(record)), ""

        async def create() -> pb.CreateTokenResponse:
            nonlocal told
            insert = partial(tokens.insert_token, record=record, result=made.SerializeToString())
            await self._lane.run(Priority.INTERACTIVE, self._database.write, insert)
            told = secret
            return made

        answer = await self._replays.once(request, create, pb.CreateTokenResponse)
        return pb.CreateTokenResponse(token=answer.token, secret=told)


def _checked(request: pb.CreateTokenRequest, secret: str, *, site: str) -> TokenRecord:
    scopes = checks.words(request.scopes, field="scopes", max_count=len(Scope))
    if not set(scopes) <= set(Scope):
        raise InvalidRequestError(f"scopes must be some of {', '.join(Scope)}", field="scopes")
    expiry = request.expire_time.ToMicroseconds() / 1e6 if request.HasField("expire_time") else None
    return token_record(secret, name=request.token_id, scopes=map(Scope, scopes), site=site, expire_time=expiry)


def _message(record: TokenRecord | RecordCorruptError) -> pb.Token:
    if isinstance(record, RecordCorruptError):
        return pb.Token(name=record.metadata["token"])
    message = pb.Token(
        name=token_name(record.name),
        scopes=sorted(record.scopes),
        site=record.site,
        create_time=time_to_proto(record.create_time),
    )
    if record.expire_time is not None:
        message.expire_time.CopyFrom(time_to_proto(record.expire_time))
    return message
