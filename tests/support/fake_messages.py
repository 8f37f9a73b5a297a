"""The answers of the fake service: one function for each unary method, named as in the contract."""

import json

from support.fake_archives import DIGEST, EMBEDDING_SIZE, FakeArchive, FakeArchives, FakeItem, embedding_of
from xmirad import __version__
from xmirad.api import checks
from xmirad.api.conversion import (
    attributes_from_proto,
    attributes_to_proto,
    embedding_from_proto,
    embedding_to_proto,
    filter_from_proto,
    geometry_to_proto,
    item_from_proto,
    patient_from_proto,
    time_to_proto,
)
from xmirad.api.enums import (
    ITEM_VIEW,
    ORIGINALS_POLICY,
    PATIENT_POLICY,
    QUERY_ITEM_EXCLUSION,
    SAME_PATIENT,
    SEARCH_VIEW,
    UPLOAD_STATE,
)
from xmirad.api.evidence import calibration_from_proto, calibration_to_proto, evidence_to_proto
from xmirad.api.images import MEDIA_TYPES, encoded_image_from_proto
from xmirad.api.limits import MAX_NAMES
from xmirad.api.ranking import ranking_to_proto
from xmirad.api.v1 import archive_service_pb2 as a
from xmirad.api.v1 import model_service_pb2 as m
from xmirad.api.v1 import resources_pb2 as r
from xmirad.api.v1 import retrieval_service_pb2 as s
from xmirad.api.v1 import server_service_pb2 as v
from xmirad.api.vocabulary import ItemView, QueryItemExclusion, SearchView
from xmirad.errors import InvalidRequestError, ModelNotFoundError
from xmirad.evidence.weighing import Neighbor, weigh
from xmirad.ids import image_digest, parse_archive_name, parse_item_name
from xmirad.types import Float32Array, ImageGeometry, Patient, PatientPolicy, SamePatient

MAX_IMAGE_BYTES = 60 << 20
MAX_TOP_K = 1000
MAX_RANKING_TOP_K = 100_000
CREATED = 1_700_000_000.5
GEOMETRY = ImageGeometry(512, 256, 448, 224, 112, 0, 224)
PNG = b"\x89PNG of "


def model(*, card: str) -> m.Model:
    return m.Model(
        name=f"models/{DIGEST}", display_name="fake", digest=DIGEST, architecture="hash", embedding_size=EMBEDDING_SIZE,
        preprocessing_json=json.dumps({"crop_size": 224}), training_data="none", license="Apache-2.0", card=card,
        is_default=True,
    )  # fmt: skip


def GetServerInfo(archives: FakeArchives, request: v.GetServerInfoRequest, call: str) -> v.GetServerInfoResponse:
    info = v.ServerInfo(
        version=__version__, boot_id="boot", max_message_bytes=64 << 20, max_image_bytes=MAX_IMAGE_BYTES,
        max_image_pixels=40_000_000, max_top_k=MAX_TOP_K, max_ranking_top_k=MAX_RANKING_TOP_K, media_types=MEDIA_TYPES,
        transfer_syntaxes=["1.2.840.10008.1.2.1"], vector_store="edge", intended_use="Research.",
    )  # fmt: skip
    return v.GetServerInfoResponse(info=info)


def ListModels(archives: FakeArchives, request: m.ListModelsRequest, call: str) -> m.ListModelsResponse:
    return m.ListModelsResponse(models=[model(card="")])


def GetModel(archives: FakeArchives, request: m.GetModelRequest, call: str) -> m.GetModelResponse:
    if checks.model(request.name, field="name") not in ("fake", DIGEST):
        raise ModelNotFoundError("there is no such model", metadata={"model": request.name})
    return m.GetModelResponse(model=model(card="# Fake"))


def _archive(archive: FakeArchive, *, rebuilding: bool = False) -> a.Archive:
    return a.Archive(
        name=f"archives/{archive.archive}",
        model=archive.model,
        originals=ORIGINALS_POLICY.to_proto(archive.originals),
        item_count=len(archive.items),
        create_time=time_to_proto(CREATED),
        evidence_calibration=None if archive.calibration is None else calibration_to_proto(archive.calibration),
        rebuilding=r.PartialIndex(indexed_items=0, total_items=len(archive.items)) if rebuilding else None,
        optimizing=rebuilding,
    )


def CreateArchive(archives: FakeArchives, request: a.CreateArchiveRequest, call: str) -> a.CreateArchiveResponse:
    archive = parse_archive_name(f"archives/{request.archive_id}", field="archive_id")
    originals = ORIGINALS_POLICY.from_proto(request.originals, field="originals")
    return a.CreateArchiveResponse(archive=_archive(archives.create(archive, checks.model(request.model), originals)))


def GetArchive(archives: FakeArchives, request: a.GetArchiveRequest, call: str) -> a.GetArchiveResponse:
    return a.GetArchiveResponse(archive=_archive(archives.get(parse_archive_name(request.name, field="name"))))


def ListArchives(archives: FakeArchives, request: a.ListArchivesRequest, call: str) -> a.ListArchivesResponse:
    """Return two archives a page, fewer than asked for, as a service may."""
    checks.page_size(request.page_size)
    rest = [archive for archive in archives if archive.archive > request.page_token]
    token = rest[1].archive if len(rest) > 2 else ""
    return a.ListArchivesResponse(archives=map(_archive, rest[:2]), next_page_token=token)


def DeleteArchive(archives: FakeArchives, request: a.DeleteArchiveRequest, call: str) -> a.DeleteArchiveResponse:
    archives.delete(parse_archive_name(request.name, field="name"), force=request.force)
    return a.DeleteArchiveResponse()


def RebuildArchive(archives: FakeArchives, request: a.RebuildArchiveRequest, call: str) -> a.RebuildArchiveResponse:
    archive = archives.get(parse_archive_name(request.name, field="name"))
    return a.RebuildArchiveResponse(archive=_archive(archive, rebuilding=True))


def SetEvidenceCalibration(
    archives: FakeArchives, request: a.SetEvidenceCalibrationRequest, call: str
) -> a.SetEvidenceCalibrationResponse:
    archive = archives.get(parse_archive_name(request.archive, field="archive"))
    archive.calibration = calibration_from_proto(request.calibration) if request.HasField("calibration") else None
    return a.SetEvidenceCalibrationResponse(archive=_archive(archive))


def GetArchiveStats(archives: FakeArchives, request: a.GetArchiveStatsRequest, call: str) -> a.GetArchiveStatsResponse:
    archive = archives.get(parse_archive_name(request.name, field="name"))
    fields = [
        a.FieldCounts(field=name, values=[a.ValueCount(value=value, count=n) for value, n in counts.most_common()])
        for name, counts in archive.counts().items()
    ]
    return a.GetArchiveStatsResponse(archive=_archive(archive), patient_count=len(archive.items), fields=fields)


def CreateItem(
    archives: FakeArchives, request: a.CreateItemRequest | a.UploadItemsRequest, call: str
) -> a.CreateItemResponse:
    archive = archives.get(parse_archive_name(request.archive, field="archive"))
    upload = request.item
    image = encoded_image_from_proto(upload, max_image_bytes=MAX_IMAGE_BYTES, field="item")
    attributes = attributes_from_proto(upload.attributes, field="item.attributes")
    patient = patient_from_proto(upload.patient, field="item.patient") if upload.HasField("patient") else None
    item, state = archive.store(image, checks.external_id(upload.external_id), attributes, patient)
    receipt = a.UploadReceipt(
        item=item.name, state=UPLOAD_STATE.to_proto(state), image_digest=item.digest, indexed=True
    )
    return a.CreateItemResponse(receipt=receipt)


def _item(item: FakeItem, view: ItemView) -> r.Item:
    message = r.Item(name=item.name, attributes=attributes_to_proto(item.attributes), image_digest=item.digest)
    if view is not ItemView.BASIC:
        message.geometry.CopyFrom(geometry_to_proto(GEOMETRY))
        message.identity.CopyFrom(r.ItemIdentity(external_id=item.external_id, frame=item.image.frame or 0))
        message.create_time.CopyFrom(time_to_proto(CREATED))
    if view is ItemView.EMBEDDING:
        message.embedding.CopyFrom(embedding_to_proto(item.embedding))
    return message


def GetItem(archives: FakeArchives, request: a.GetItemRequest, call: str) -> a.GetItemResponse:
    archive, item = parse_item_name(request.name, field="name")
    view = ITEM_VIEW.from_proto(request.view, field="view")
    return a.GetItemResponse(item=_item(archives.get(archive).get(item), view))


def ListItems(archives: FakeArchives, request: a.ListItemsRequest, call: str) -> a.ListItemsResponse:
    archive = archives.get(parse_archive_name(request.archive, field="archive"))
    size = min(checks.page_size(request.page_size), 3)
    view = ITEM_VIEW.from_proto(request.view, field="view")
    asked = filter_from_proto(request.filter, archive=archive.archive)
    rest = [item for item in archive.select(asked) if item.item > request.page_token]
    token = rest[size - 1].item if len(rest) > size else ""
    return a.ListItemsResponse(items=[_item(item, view) for item in rest[:size]], next_page_token=token)


def BatchGetItems(archives: FakeArchives, request: a.BatchGetItemsRequest, call: str) -> a.BatchGetItemsResponse:
    archive = archives.get(parse_archive_name(request.archive, field="archive"))
    checks.at_most(len(request.names), MAX_NAMES, field="names")
    items = [item_from_proto(name, archive=archive.archive, field="names") for name in request.names]
    view = ITEM_VIEW.from_proto(request.view, field="view")
    return a.BatchGetItemsResponse(items=[_item(archive.items[i], view) for i in items if i in archive.items])


def DeleteItem(archives: FakeArchives, request: a.DeleteItemRequest, call: str) -> a.DeleteItemResponse:
    archive, item = parse_item_name(request.name, field="name")
    del archives.get(archive).items[archives.get(archive).get(item).item]
    return a.DeleteItemResponse()


def PurgeItems(archives: FakeArchives, request: a.PurgeItemsRequest, call: str) -> a.PurgeItemsResponse:
    archive = archives.get(parse_archive_name(request.archive, field="archive"))
    if request.HasField("patient"):
        patient = patient_from_proto(request.patient)
        selected = [item for item in archive.items.values() if item.patient == patient]
    else:
        selected = archive.select(filter_from_proto(request.filter, archive=archive.archive))
    for item in selected if request.force else ():
        del archive.items[item.item]
    return a.PurgeItemsResponse(selected_items=len(selected), deleted_items=len(selected) * request.force)


def GetItemImage(archives: FakeArchives, request: a.GetItemImageRequest, call: str) -> a.GetItemImageResponse:
    archive, item = parse_item_name(request.name, field="name")
    png = PNG + archives.get(archive).get(item).image.data
    return a.GetItemImageResponse(png=png, geometry=geometry_to_proto(GEOMETRY))


def EmbedImage(archives: FakeArchives, request: s.EmbedImageRequest, call: str) -> s.EmbedImageResponse:
    checks.model(request.model)
    image = encoded_image_from_proto(request, max_image_bytes=MAX_IMAGE_BYTES)
    digest = image_digest(image.data, image.frame)
    embedding = embedding_to_proto(embedding_of(image))
    return s.EmbedImageResponse(model=f"models/{DIGEST}", image_digest=digest, embedding=embedding, request_id=call)


def Search(archives: FakeArchives, request: s.SearchRequest, call: str) -> s.SearchResponse:
    archive = archives.get(parse_archive_name(request.archive, field="archive"))
    view = SEARCH_VIEW.from_proto(request.view, field="view")
    maximum = MAX_RANKING_TOP_K if view is SearchView.RANKING else MAX_TOP_K
    top_k = checks.top_k(request.top_k, maximum=maximum)
    asked = filter_from_proto(request.filter, archive=archive.archive)
    embedding, digest, patient = _query(archive, request)
    policy = PATIENT_POLICY.from_proto(request.patient_policy, field="patient_policy")
    ranked = archive.nearest(embedding, asked)
    searched = len(ranked)
    exclusion = QueryItemExclusion.NONE
    if request.exclude_query_item:
        exclusion = QueryItemExclusion.NAME if request.item else QueryItemExclusion.CONTENT
        ranked = [(item, score) for item, score in ranked if item.digest != digest]
    if request.HasField("min_score"):
        ranked = [(item, score) for item, score in ranked if score >= checks.min_score(request.min_score)]
    if policy is PatientPolicy.EXCLUDE:
        ranked = [(item, score) for item, score in ranked if item.patient != patient]
    response = s.SearchResponse(
        model=archive.model, query_digest=digest, searched_items=searched, exact=request.exact, request_id=call,
        query_item_exclusion=QUERY_ITEM_EXCLUSION.to_proto(exclusion), timings=s.SearchTimings(search_ms=0.25),
    )  # fmt: skip
    _tell_evidence(request, response, archive, ranked)
    ranked = ranked[:top_k]
    if view is SearchView.RANKING:
        packed = ranking_to_proto([item.item for item, _ in ranked], [score for _, score in ranked])
        response.ranking.CopyFrom(packed)
        return response
    for rank, (item, score) in enumerate(ranked, start=1):
        result = response.results.add(item=item.name, rank=rank, score=score, labels=item.attributes.labels)
        if policy is PatientPolicy.FLAG:
            same = SamePatient.YES if item.patient == patient else SamePatient.NO
            result.same_patient = s.SamePatient.Value(SAME_PATIENT.to_proto(same))  # type: ignore[assignment]
        if view is SearchView.FULL:
            result.identity.external_id = item.external_id
            result.thumbnail = b"JPEG"
    return response


def _tell_evidence(
    request: s.SearchRequest, response: s.SearchResponse, archive: FakeArchive, ranked: list[tuple[FakeItem, float]]
) -> None:
    if request.evidence:
        nearest = [Neighbor(score, item.attributes.labels) for item, score in ranked[:10]]
        evidence = weigh(nearest, same_patient_items=0, calibration=archive.calibration)
        response.evidence.CopyFrom(evidence_to_proto(evidence))


def _query(archive: FakeArchive, request: s.SearchRequest) -> tuple[Float32Array, str, Patient | None]:
    """Return what is asked with; feedback is checked and then ignored."""
    patient = patient_from_proto(request.patient) if request.HasField("patient") else None
    for name in (*request.feedback.positive_items, *request.feedback.negative_items):
        archive.get(item_from_proto(name, archive=archive.archive, field="feedback"))
    asked = request.feedback if request.WhichOneof("source") == "feedback" else request
    source = asked.WhichOneof("source")
    if source == "item":
        item = archive.get(item_from_proto(asked.item, archive=archive.archive, field="item"))
        return item.embedding, item.digest, patient or item.patient
    if source == "embedding":
        vector = embedding_from_proto(asked.embedding)
        if len(vector) != EMBEDDING_SIZE:
            raise InvalidRequestError("embedding has another length than the model's", field="embedding")
        return vector, "vector", patient
    image = encoded_image_from_proto(asked, max_image_bytes=MAX_IMAGE_BYTES)
    return embedding_of(image), image_digest(image.data, image.frame), patient
