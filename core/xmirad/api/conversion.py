"""Values of the library and their messages.

`..._from_proto` reads what a request carries and checks it: every error is an `InvalidRequestError` that names the
field by its path in the request. `..._to_proto` writes requests and answers alike. How the SDK reads answers, which are
not checked but tolerated, is in `xmirad.client.parsing`.
"""

from datetime import UTC, datetime
from typing import Protocol

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from xmirad.api import checks
from xmirad.api.enums import SEX
from xmirad.api.limits import (
    AGE_BAND_YEARS,
    MAX_AGE_BAND,
    MAX_EXCLUDED_ITEMS,
    MAX_FILTER_VALUES,
    MAX_LABEL_CHARACTERS,
    MAX_LABELS,
    MAX_PATIENT_CHARACTERS,
    MAX_YEAR,
)
from xmirad.api.v1 import resources_pb2
from xmirad.errors import InvalidRequestError
from xmirad.ids import item_name, parse_item_name
from xmirad.types import Float32Array, ImageGeometry, IntRange, ItemAttributes, ItemFilter, Patient


class SourceIdentity(Protocol):
    """What leads back to the source system; the item record's identity and the SDK's are both one."""

    @property
    def external_id(self) -> str: ...  # noqa: D102 - as in the message
    @property
    def study_instance_uid(self) -> str: ...  # noqa: D102
    @property
    def series_instance_uid(self) -> str: ...  # noqa: D102
    @property
    def sop_instance_uid(self) -> str: ...  # noqa: D102
    @property
    def frame(self) -> int: ...  # noqa: D102
    @property
    def file_name(self) -> str: ...  # noqa: D102


def attributes_from_proto(message: resources_pb2.ItemAttributes, *, field: str = "attributes") -> ItemAttributes:
    """Read and check what an uploader says of an image.

    Raises:
        InvalidRequestError: If a field is out of its range.
    """
    return ItemAttributes(
        labels=checks.words(
            message.labels, field=f"{field}.labels", max_count=MAX_LABELS, max_characters=MAX_LABEL_CHARACTERS
        ),
        dataset=checks.word(message.dataset, field=f"{field}.dataset"),
        split=checks.word(message.split, field=f"{field}.split"),
        source=checks.word(message.source, field=f"{field}.source"),
        modality=checks.word(message.modality, field=f"{field}.modality"),
        body_part=checks.word(message.body_part, field=f"{field}.body_part"),
        view_position=checks.word(message.view_position, field=f"{field}.view_position"),
        year=_year(message, field=f"{field}.year"),
        sex=SEX.optional_from_proto(message.sex, field=f"{field}.sex"),
        age_band=_age_band(message, field=f"{field}.age_band"),
        synthetic=message.synthetic,
    )


def attributes_to_proto(attributes: ItemAttributes) -> resources_pb2.ItemAttributes:
    """Write what is known of an image."""
    return resources_pb2.ItemAttributes(
        labels=attributes.labels,
        dataset=attributes.dataset,
        split=attributes.split,
        source=attributes.source,
        modality=attributes.modality,
        body_part=attributes.body_part,
        view_position=attributes.view_position,
        year=attributes.year,
        sex=SEX.to_proto(attributes.sex),
        age_band=attributes.age_band,
        synthetic=attributes.synthetic,
    )


def patient_from_proto(message: resources_pb2.Patient, *, field: str = "patient") -> Patient:
    """Read and check a patient that a request names. Ask `HasField` first: an unset patient has no Patient ID.

    Raises:
        InvalidRequestError: If there is no Patient ID, or a part is too long.
    """
    patient_id = checks.text(message.patient_id, field=f"{field}.patient_id", max_characters=MAX_PATIENT_CHARACTERS)
    if not patient_id:
        raise InvalidRequestError(f"{field}.patient_id must not be blank", field=f"{field}.patient_id")
    issuer = checks.text(message.issuer, field=f"{field}.issuer", max_characters=MAX_PATIENT_CHARACTERS)
    return Patient(patient_id=patient_id, issuer=issuer)


def patient_to_proto(patient: Patient | None) -> resources_pb2.Patient | None:
    """Write a patient; None stays unset."""
    return None if patient is None else resources_pb2.Patient(issuer=patient.issuer, patient_id=patient.patient_id)


def filter_from_proto(message: resources_pb2.ItemFilter, *, archive: str, field: str = "filter") -> ItemFilter:
    """Read and check a filter; excluded items become ids of the archive.

    Raises:
        InvalidRequestError: If a value is blank, a range is inverted, there are too many values, or an excluded item
            belongs to another archive.
    """
    if not message.ByteSize():
        return ItemFilter()

    def words(name: str) -> tuple[str, ...]:
        return checks.words(getattr(message, name), field=f"{field}.{name}", max_count=MAX_FILTER_VALUES)

    checks.at_most(len(message.sexes), MAX_FILTER_VALUES, field=f"{field}.sexes")
    sexes = (SEX.from_proto(sex, field=f"{field}.sexes[{at}]") for at, sex in enumerate(message.sexes))
    return ItemFilter(
        labels=words("labels"),
        modalities=words("modalities"),
        body_parts=words("body_parts"),
        view_positions=words("view_positions"),
        splits=words("splits"),
        datasets=words("datasets"),
        sources=words("sources"),
        years=_range(message.years, field=f"{field}.years"),
        sexes=tuple(dict.fromkeys(sexes)),
        age_bands=_range(message.age_bands, field=f"{field}.age_bands"),
        excluded_items=_excluded_items(message, archive=archive, field=f"{field}.excluded_items"),
    )


def filter_to_proto(item_filter: ItemFilter, *, archive: str) -> resources_pb2.ItemFilter:
    """Write a filter; excluded items may be names, or ids of the archive."""
    return resources_pb2.ItemFilter(
        labels=item_filter.labels,
        modalities=item_filter.modalities,
        body_parts=item_filter.body_parts,
        view_positions=item_filter.view_positions,
        splits=item_filter.splits,
        datasets=item_filter.datasets,
        sources=item_filter.sources,
        years=_range_to_proto(item_filter.years),
        sexes=[SEX.to_proto(sex) for sex in item_filter.sexes],
        age_bands=_range_to_proto(item_filter.age_bands),
        excluded_items=[item if "/" in item else item_name(archive, item) for item in item_filter.excluded_items],
    )


def item_from_proto(name: str, *, archive: str, field: str) -> str:
    """Return the id of an item that a request names, which must belong to the archive.

    Raises:
        InvalidRequestError: If the name is malformed or belongs to another archive.
    """
    named, item = parse_item_name(name, field=field)
    if named != archive:
        message = f"{field} must name an item of archive {archive}"
        raise InvalidRequestError(message, field=field, metadata={"archive": archive})
    return item


def embedding_from_proto(message: resources_pb2.Embedding, *, field: str = "embedding") -> Float32Array:
    """Read a vector, float32 `[embedding_size]`, not yet scaled.

    Raises:
        InvalidRequestError: If it is empty, has values that are not finite, or is zero.
    """
    values = np.array(message.values, dtype=np.float32)
    if not np.isfinite(values).all() or not values.any():
        raise InvalidRequestError(f"{field} must have finite values that are not all zero", field=field)
    return values


def embedding_to_proto(embedding: Float32Array) -> resources_pb2.Embedding:
    """Write a vector, float32 `[embedding_size]`."""
    return resources_pb2.Embedding(values=embedding.tolist())


def geometry_to_proto(geometry: ImageGeometry) -> resources_pb2.ImageGeometry:
    """Write how an original became the model's input."""
    return resources_pb2.ImageGeometry(
        original_width=geometry.original_width,
        original_height=geometry.original_height,
        resized_width=geometry.resized_width,
        resized_height=geometry.resized_height,
        crop_left=geometry.crop_left,
        crop_top=geometry.crop_top,
        crop_size=geometry.crop_size,
    )


def identity_to_proto(identity: SourceIdentity) -> resources_pb2.ItemIdentity:
    """Write what leads back to the source system."""
    return resources_pb2.ItemIdentity(
        external_id=identity.external_id,
        study_instance_uid=identity.study_instance_uid,
        series_instance_uid=identity.series_instance_uid,
        sop_instance_uid=identity.sop_instance_uid,
        frame=identity.frame,
        file_name=identity.file_name,
    )


def time_to_proto(seconds: float) -> Timestamp:
    """Write a time given in seconds since the epoch."""
    timestamp = Timestamp()
    timestamp.FromDatetime(datetime.fromtimestamp(seconds, UTC))
    return timestamp


def _year(message: resources_pb2.ItemAttributes, *, field: str) -> int | None:
    if not message.HasField("year"):
        return None
    return checks.whole_number(message.year, field=field, minimum=1, maximum=MAX_YEAR)


def _age_band(message: resources_pb2.ItemAttributes, *, field: str) -> int | None:
    if not message.HasField("age_band"):
        return None
    band = checks.whole_number(message.age_band, field=field, minimum=0, maximum=MAX_AGE_BAND)
    if band % AGE_BAND_YEARS:
        raise InvalidRequestError(f"{field} must be a multiple of {AGE_BAND_YEARS}", field=field)
    return band


def _range(message: resources_pb2.IntRange, *, field: str) -> IntRange | None:
    """Read a range; one that is open at both ends asks nothing."""
    first = message.first if message.HasField("first") else None
    last = message.last if message.HasField("last") else None
    if first is not None and last is not None and first > last:
        limit = {"first": str(first), "last": str(last)}
        raise InvalidRequestError(
            f"{field}.first must not be above {field}.last", field=f"{field}.first", metadata=limit
        )
    return None if first is None and last is None else IntRange(first, last)


def _range_to_proto(value: IntRange | None) -> resources_pb2.IntRange | None:
    return None if value is None else resources_pb2.IntRange(first=value.first, last=value.last)


def _excluded_items(message: resources_pb2.ItemFilter, *, archive: str, field: str) -> tuple[str, ...]:
    checks.at_most(len(message.excluded_items), MAX_EXCLUDED_ITEMS, field=field)
    names = enumerate(message.excluded_items)
    items = (item_from_proto(name, archive=archive, field=f"{field}[{at}]") for at, name in names)
    return tuple(dict.fromkeys(items))
