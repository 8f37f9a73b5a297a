"""Closed sets in Python and their enums in the contract, matched by name."""

from enum import StrEnum
from typing import Generic, TypeVar

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from xmirad.api.v1 import (
    archive_service_pb2,
    explanation_service_pb2,
    model_service_pb2,
    resources_pb2,
    retrieval_service_pb2,
)
from xmirad.api.vocabulary import ExplanationPriority, ItemView, MapQuality, QueryItemExclusion, SearchView
from xmirad.errors import InvalidRequestError
from xmirad.saliency.attention import AttentionForm
from xmirad.saliency.codec import Codec
from xmirad.saliency.fidelity import Verdict
from xmirad.saliency.masking import Fill
from xmirad.saliency.method import ExplainedImage
from xmirad.types import (
    ExplanationState,
    ImportState,
    OriginalsPolicy,
    PatientPolicy,
    SamePatient,
    Sex,
    UntrainedFeatures,
    UploadState,
)

Member = TypeVar("Member", bound=StrEnum)


class EnumTable(Generic[Member]):
    """One closed set in both forms.

    In requests a number that is not known is an error. In answers it is tolerated: a newer service may know more.
    """

    def __init__(self, enum: EnumTypeWrapper, members: type[Member], *, unspecified: Member | None = None) -> None:
        """Match `members` with the values of `enum`; `unspecified` is what its zero stands for."""
        values = enum.DESCRIPTOR.values
        zero = values[0].name
        prefix = zero.removesuffix("UNSPECIFIED")
        numbers = {value.name.removeprefix(prefix): value.number for value in values}
        self._names = {member: prefix + member.name for member in members if member.name in numbers}
        if unspecified is not None:
            self._names.setdefault(unspecified, zero)
        self._members = {numbers[member.name]: member for member in members if member.name in numbers}
        self._zero = zero
        self._unspecified = unspecified

    @property
    def words(self) -> tuple[str, ...]:
        """The names that a request may use."""
        return tuple(name for name in self._names.values() if name != self._zero)

    def to_proto(self, member: Member | None) -> str:
        """Return the name in the contract; None becomes the zero."""
        return self._zero if member is None else self._names[member]

    def from_proto(self, number: int, *, field: str) -> Member:
        """Return the member that a request names.

        Raises:
            InvalidRequestError: If there is none of that number, or if zero has no meaning here.
        """
        member = self.optional_from_proto(number, field=field) or self._unspecified
        if member is None:
            raise self._refusal(field)
        return member

    def optional_from_proto(self, number: int, *, field: str) -> Member | None:
        """Return the member that a request names, or None for zero.

        Raises:
            InvalidRequestError: If there is none of that number.
        """
        if number == 0:
            return None
        if number not in self._members:
            raise self._refusal(field)
        return self._members[number]

    def read(self, number: int) -> Member | None:
        """Return the member that an answer names; what zero stands for also for numbers that are not known."""
        return self._members.get(number, self._unspecified)

    def _refusal(self, field: str) -> InvalidRequestError:
        allowed = ", ".join(self.words)
        return InvalidRequestError(f"{field} must be one of {allowed}", field=field, metadata={"allowed": allowed})


SEX = EnumTable(resources_pb2.Sex, Sex)
ITEM_VIEW = EnumTable(resources_pb2.ItemView, ItemView, unspecified=ItemView.BASIC)
ORIGINALS_POLICY = EnumTable(archive_service_pb2.OriginalsPolicy, OriginalsPolicy, unspecified=OriginalsPolicy.COPY)
IMPORT_STATE = EnumTable(archive_service_pb2.ImportState, ImportState)
UPLOAD_STATE = EnumTable(archive_service_pb2.UploadState, UploadState)
PATIENT_POLICY = EnumTable(retrieval_service_pb2.PatientPolicy, PatientPolicy, unspecified=PatientPolicy.INCLUDE)
SEARCH_VIEW = EnumTable(retrieval_service_pb2.SearchView, SearchView, unspecified=SearchView.BASIC)
SAME_PATIENT = EnumTable(retrieval_service_pb2.SamePatient, SamePatient)
QUERY_ITEM_EXCLUSION = EnumTable(
    retrieval_service_pb2.QueryItemExclusion, QueryItemExclusion, unspecified=QueryItemExclusion.NONE
)
EXPLANATION_STATE = EnumTable(explanation_service_pb2.ExplanationState, ExplanationState)
EXPLANATION_PRIORITY = EnumTable(
    explanation_service_pb2.ExplanationPriority, ExplanationPriority, unspecified=ExplanationPriority.INTERACTIVE
)
EXPLAINED_IMAGE = EnumTable(explanation_service_pb2.ExplainedImage, ExplainedImage, unspecified=ExplainedImage.RESULT)
OCCLUSION_FILL = EnumTable(explanation_service_pb2.OcclusionFill, Fill, unspecified=Fill.ZERO)
OCCLUSION_CODEC = EnumTable(explanation_service_pb2.OcclusionCodec, Codec, unspecified=Codec.INT8)
ATTENTION_FORM = EnumTable(
    explanation_service_pb2.AttentionForm, AttentionForm, unspecified=AttentionForm.SIAMESE_POSITIVE
)
MAP_QUALITY = EnumTable(explanation_service_pb2.MapQuality, MapQuality)
FIDELITY_VERDICT = EnumTable(explanation_service_pb2.FidelityVerdict, Verdict)
UNTRAINED_FEATURES = EnumTable(model_service_pb2.UntrainedFeatures, UntrainedFeatures)
