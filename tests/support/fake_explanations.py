"""The answers of the fake service about explanations: one function for each unary method, named as in the contract.

An explanation is queued when it is created and makes one step with every message of a watch: running, a preview, the
exact map, its fidelity.
"""

import hashlib
from collections.abc import Iterator

import numpy as np

from support.fake_archives import FakeArchives
from xmirad.api import checks
from xmirad.api.conversion import filter_from_proto, geometry_to_proto, item_from_proto, time_to_proto
from xmirad.api.enums import EXPLAINED_IMAGE, EXPLANATION_PRIORITY
from xmirad.api.v1 import archive_service_pb2 as a
from xmirad.api.v1 import explanation_service_pb2 as pb
from xmirad.errors import ExplanationNotFoundError, InvalidRequestError
from xmirad.ids import explanation_name, parse_archive_name, parse_explanation_name, parse_item_name
from xmirad.types import ImageGeometry

MAX_BATCH = 100
WINDOWS = 2401
VALUES = np.linspace(-0.5, 1.0, 12, dtype=np.float32).reshape(3, 4)
GEOMETRY = ImageGeometry(512, 256, 448, 224, 112, 0, 224)
CREATED = 1_700_000_000.5
STEPS = ("queued", "running", "preview", "exact", "fidelity")
Terminal = (pb.EXPLANATION_STATE_SUCCEEDED, pb.EXPLANATION_STATE_FAILED, pb.EXPLANATION_STATE_CANCELLED)


def WarmArchive(archives: FakeArchives, request: a.WarmArchiveRequest, call: str) -> a.WarmArchiveResponse:
    archive = archives.get(parse_archive_name(request.archive, field="archive"))
    selected = archive.select(filter_from_proto(request.filter, archive=archive.archive))
    if request.max_items:
        selected = selected[: request.max_items]
    return a.WarmArchiveResponse(
        selected_items=len(selected), complete_items=1, missing_windows=WINDOWS * (len(selected) - 1),
        estimated_seconds=1.5, estimated_bytes=1 << 20, budget_bytes=1 << 30,
        queued_tasks=0 if request.dry_run or request.cancel else 7,
        given_up_items=1, cancelled_images=2 if request.cancel else 0,
    )  # fmt: skip


def CreateExplanation(
    archives: FakeArchives, request: pb.CreateExplanationRequest, call: str
) -> pb.CreateExplanationResponse:
    EXPLANATION_PRIORITY.from_proto(request.priority, field="priority")
    message = _create(archives, request.query, request.item, request.options, field="item")
    return pb.CreateExplanationResponse(explanation=message, request_id=call)


def BatchCreateExplanations(
    archives: FakeArchives, request: pb.BatchCreateExplanationsRequest, call: str
) -> pb.BatchCreateExplanationsResponse:
    checks.at_most(len(request.items), MAX_BATCH, field="items")
    created = [
        _create(archives, request.query, item, request.options, field=f"items[{at}]")
        for at, item in enumerate(request.items)
    ]
    return pb.BatchCreateExplanationsResponse(explanations=map(_without_maps, created), request_id=call)


def GetExplanation(archives: FakeArchives, request: pb.GetExplanationRequest, call: str) -> pb.GetExplanationResponse:
    message = pb.Explanation()
    message.CopyFrom(_named(archives, request.name))
    _lay_over(message, request.include_overlay)
    return pb.GetExplanationResponse(explanation=message)


def ListExplanations(
    archives: FakeArchives, request: pb.ListExplanationsRequest, call: str
) -> pb.ListExplanationsResponse:
    """Return two explanations a page, fewer than asked for, as a service may."""
    checks.page_size(request.page_size)
    prefix = f"{request.archive}/items/" if request.archive else ""
    names = sorted(name for name, message in archives.explanations.items() if message.item.startswith(prefix))
    rest = [name for name in names if name > request.page_token]
    token = rest[1] if len(rest) > 2 else ""
    listed = [_without_maps(archives.explanations[name]) for name in rest[:2]]
    return pb.ListExplanationsResponse(explanations=listed, next_page_token=token)


def CancelExplanation(
    archives: FakeArchives, request: pb.CancelExplanationRequest, call: str
) -> pb.CancelExplanationResponse:
    message = _named(archives, request.name)
    if message.state not in Terminal:
        message.state = pb.EXPLANATION_STATE_CANCELLED
        message.finish_time.CopyFrom(time_to_proto(CREATED + 1))
    return pb.CancelExplanationResponse(explanation=_without_maps(message))


def DeleteExplanation(
    archives: FakeArchives, request: pb.DeleteExplanationRequest, call: str
) -> pb.DeleteExplanationResponse:
    _named(archives, request.name)
    del archives.explanations[request.name]
    return pb.DeleteExplanationResponse()


def watched(archives: FakeArchives, request: pb.WatchExplanationRequest) -> Iterator[pb.WatchExplanationResponse]:
    """Make a step with every message; a token is the number of the step that the message showed."""
    message = _named(archives, request.name)
    at = int(request.resume_token) if request.resume_token else 0
    while True:
        if message.state not in Terminal or message.state == pb.EXPLANATION_STATE_SUCCEEDED:
            _advance(message, STEPS[at])
        sent = pb.WatchExplanationResponse(explanation=message, resume_token=str(at))
        _lay_over(sent.explanation, request.include_overlay)
        yield sent
        at += 1
        if at == len(STEPS) or message.state in (pb.EXPLANATION_STATE_FAILED, pb.EXPLANATION_STATE_CANCELLED):
            return


def saliency_map(*, exact: bool) -> pb.SaliencyMap:
    message = pb.SaliencyMap(
        explained_image=pb.EXPLAINED_IMAGE_RESULT, height=3, width=4, values=VALUES.astype("<f4").tobytes(),
        minimum=float(VALUES.min()), maximum=float(VALUES.max()), signed=True, meaning="what it means",
        geometry=geometry_to_proto(GEOMETRY), quality=pb.MAP_QUALITY_EXACT if exact else pb.MAP_QUALITY_APPROXIMATE,
    )  # fmt: skip
    if exact:
        message.codec = pb.OCCLUSION_CODEC_INT8
        message.error_five_sigma = 0.005
        message.preview_errors.extend([0.2, 0.1])
    else:
        message.estimated_error = 0.25
    return message


def _create(
    archives: FakeArchives, query: pb.ExplanationQuery, item: str, options: pb.ExplanationOptions, *, field: str
) -> pb.Explanation:
    archive, result = parse_item_name(item, field=field)
    archives.get(archive).get(result)
    EXPLAINED_IMAGE.from_proto(options.explained_image, field="options.explained_image")
    if query.WhichOneof("source") is None:
        raise InvalidRequestError("query must be set", field="query")
    if query.item:
        archives.get(archive).get(item_from_proto(query.item, archive=archive, field="query.item"))
    name = explanation_name(hashlib.sha256(f"{query}{item}{options}".encode()).hexdigest())
    found = archives.explanations.get(name)
    if found is None or found.state == pb.EXPLANATION_STATE_CANCELLED:
        archives.explanations[name] = pb.Explanation(
            name=name, state=pb.EXPLANATION_STATE_QUEUED, create_time=time_to_proto(CREATED), item=item,
            query_item=query.item, query_digest="cd" * 32, options=options, model=archives.get(archive).model,
            progress=pb.ExplanationProgress(windows_total=WINDOWS), attempt=1 if found is None else found.attempt + 1,
        )  # fmt: skip
    return archives.explanations[name]


def _named(archives: FakeArchives, name: str) -> pb.Explanation:
    parse_explanation_name(name, field="name")
    if name not in archives.explanations:
        raise ExplanationNotFoundError(f"there is no {name}", field="name", metadata={"explanation": name})
    return archives.explanations[name]


def _advance(message: pb.Explanation, step: str) -> None:
    if step == "running":
        message.state = pb.EXPLANATION_STATE_RUNNING
    elif step == "preview":
        message.progress.windows_done = 169
        message.maps.append(saliency_map(exact=False))
    elif step == "exact":
        message.state = pb.EXPLANATION_STATE_SUCCEEDED
        message.finish_time.CopyFrom(time_to_proto(CREATED + 1))
        message.progress.windows_done = WINDOWS
        del message.maps[:]
        message.maps.append(saliency_map(exact=True))
    elif step == "fidelity":
        for each in message.maps:
            verdict = pb.FIDELITY_VERDICT_BETTER_THAN_CHANCE
            each.fidelity.CopyFrom(
                pb.MapFidelity(
                    fidelity=0.5,
                    controls=[0.1, 0.2],
                    verdict=verdict,
                    areas=pb.MapAreas(insertion=0.75, deletion=0.25),
                    p_value=1 / 3,
                )
            )


def _without_maps(message: pb.Explanation) -> pb.Explanation:
    copy = pb.Explanation()
    copy.CopyFrom(message)
    del copy.maps[:]
    return copy


def _lay_over(message: pb.Explanation, wanted: bool) -> None:
    for each in message.maps if wanted else ():
        each.overlay_png = b"\x89PNG"
