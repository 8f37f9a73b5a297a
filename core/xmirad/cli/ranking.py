"""The ranking of a query: the one search behind `search` and `explain`, so that both mean the same by a rank."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xmirad import ids
from xmirad.api.vocabulary import ItemView, SearchView
from xmirad.cli import filters
from xmirad.errors import AccessDeniedError, InvalidRequestError
from xmirad.types import EncodedImage, ItemFilter, Patient, PatientPolicy, Sex

if TYPE_CHECKING:
    from xmirad.client.client import Client
    from xmirad.client.search_types import PlainSource, SearchResponse, SearchResult, SearchSource
    from xmirad.client.types import Item, ItemIdentity

DEFAULT_TOP_K = 10
IDENTITY_SCOPE = "identity"
NAMES_WITHHELD = "names and pictures of items need the scope identity, which this token does not have; ids are shown"
SAME_IMAGE_SCORE = 0.999
"""The image of the query itself scores 1 up to rounding; only from here on digests are compared."""

TopK = Annotated[int, typer.Option("--top-k", "-k", help="How many results.")]
Frame = Annotated[int | None, typer.Option(help="Frame of a DICOM file, counted from 1.")]
PatientId = Annotated[str, typer.Option(help="Patient ID of the query, where no header tells.")]
Issuer = Annotated[str, typer.Option(help="Issuer of the Patient ID.")]
Policy = Annotated[PatientPolicy, typer.Option(help="What to do with items of the query's own patient.")]
ExcludeQueryItem = Annotated[
    bool, typer.Option("--exclude-query-item", "--exclude-self", help="Leave the query's own item out of the ranking.")
]
MinScore = Annotated[float | None, typer.Option(help="Leave out what scores below, -1 to 1.")]
Exact = Annotated[bool, typer.Option("--exact", help="Compare with every item.")]
MoreLike = Annotated[list[str] | None, typer.Option(help="Item that is what you look for.")]
LessLike = Annotated[list[str] | None, typer.Option(help="Item that is not.")]


@dataclass(frozen=True, slots=True)
class RankingOptions:
    """What decides which item has which rank.

    Attributes:
        top_k: How many results.
        filter: Which items take part.
        patient: The query's patient, where no header tells.
        patient_policy: What to do with items of the query's own patient.
        exclude_query_item: Leave the query's own item out.
        min_score: Leave out results that score below this value, -1 to 1.
        exact: Compare with every item.
    """

    top_k: int = DEFAULT_TOP_K
    filter: ItemFilter = field(default_factory=ItemFilter)
    patient: Patient | None = None
    patient_policy: PatientPolicy = PatientPolicy.INCLUDE
    exclude_query_item: bool = False
    min_score: float | None = None
    exact: bool = False

    @staticmethod
    def of(values: Mapping[str, Any]) -> "RankingOptions":
        """Return what the options of a command ask for, by the names of its parameters.

        Raises:
            InvalidRequestError: If a range is not one.
        """
        return RankingOptions(
            top_k=values["top_k"],
            filter=filters.item_filter(
                labels=values["labels"],
                datasets=values["datasets"],
                splits=values["splits"],
                sources=values["sources"],
                modalities=values["modalities"],
                body_parts=values["body_parts"],
                view_positions=values["view_positions"],
                sexes=[Sex(sex) for sex in values["sexes"] or ()],
                years=values["years"],
                age_bands=values["ages"],
            ),
            patient=Patient(values["patient"], values["issuer"]) if values["patient"] else None,
            patient_policy=PatientPolicy(values["patient_policy"]),
            exclude_query_item=values["exclude_query_item"],
            min_score=values["min_score"],
            exact=values["exact"],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The answer to a search.

    Attributes:
        response: The results, with identity and thumbnail unless `names_withheld`.
        query_items: Names of those results that are the query's own image.
        names_withheld: Whether the caller may not see identities.
    """

    response: "SearchResponse"
    query_items: frozenset[str]
    names_withheld: bool = False

    def result_at(self, rank: int, *, field: str) -> "SearchResult":
        """Return the result of a rank.

        Raises:
            InvalidRequestError: If there are not so many.
        """
        found = self.response.results
        if rank > len(found):
            limits = {"value": str(rank), "lowest": "1", "highest": str(len(found))}
            message = f"{field} is rank {rank}, but the search finds {len(found)} results: see `xmirad search`"
            raise InvalidRequestError(message, field=field, metadata=limits)
        return found[rank - 1]


def rank_items(
    client: "Client", archive: str, source: "SearchSource", options: RankingOptions, *, evidence: bool = False
) -> Ranking:
    """Search, with the names of the results where the caller may see them.

    Raises:
        XmiradError: If the search fails.
    """

    def search(view: SearchView) -> "SearchResponse":
        return client.search(
            archive,
            source,
            top_k=options.top_k,
            filter=options.filter,
            patient=options.patient,
            patient_policy=options.patient_policy,
            exclude_query_item=options.exclude_query_item,
            min_score=options.min_score,
            exact=options.exact,
            view=view,
            evidence=evidence,
        )

    try:
        response, names_withheld = search(SearchView.FULL), False
    except AccessDeniedError as error:
        if IDENTITY_SCOPE not in error.metadata.get("scope", ""):
            raise
        response, names_withheld = search(SearchView.BASIC), True
    return Ranking(response, _query_items(client, archive, source, response), names_withheld)


def find_item(client: "Client", name: str) -> "Item":
    """Return an item, with its identity where the caller may see it.

    Raises:
        ItemNotFoundError: If there is none.
    """
    try:
        return client.get_item(name, view=ItemView.FULL)
    except AccessDeniedError as error:
        if IDENTITY_SCOPE not in error.metadata.get("scope", ""):
            raise
        return client.get_item(name)


def list_items(client: "Client", archive: str, asked: ItemFilter, *, limit: int) -> tuple[list["Item"], bool]:
    """Return items of an archive, and whether their identity is left out because the caller may not see it."""
    try:
        return list(islice(client.list_items(archive, filter=asked, view=ItemView.FULL), limit)), False
    except AccessDeniedError as error:
        if IDENTITY_SCOPE not in error.metadata.get("scope", ""):
            raise
        return list(islice(client.list_items(archive, filter=asked), limit)), True


def query_title(client: "Client", source: "SearchSource", query: str) -> str:
    """Return what people call the query: the name of its file, or that of the item."""
    asked = asked_with(source)
    if isinstance(asked, str):
        return item_title(find_item(client, asked).identity, asked)
    return Path(query).name


def rank_of(text: str, *, field: str) -> int:
    """Read a rank.

    Raises:
        InvalidRequestError: If it is 0.
    """
    rank = int(text)
    if rank < 1:
        message = f"{field} is a rank, counted from 1: there is no rank {text}; 1 is the first result of the search"
        raise InvalidRequestError(message, field=field, metadata={"value": text, "lowest": "1"})
    return rank


def item_title(identity: "ItemIdentity | None", item: str) -> str:
    """Return what people call an item: its external id and file, else its SOP Instance UID, else its id.

    Args:
        identity: Its identifiers in the source system, or None where they are not known or may not be seen.
        item: Its name or id.
    """
    external_id, file_name = ("", "") if identity is None else (identity.external_id, identity.file_name)
    if PurePosixPath(file_name).stem == external_id or PurePosixPath(file_name).name == external_id:
        external_id, file_name = "", PurePosixPath(file_name).name if external_id else file_name
    title = f"{external_id} ({file_name})" if external_id and file_name else external_id or file_name
    if identity is not None and not title:
        title = identity.sop_instance_uid
    if identity is not None and title and identity.frame > 1:
        title += f", frame {identity.frame}"
    return title or item_id_of(item)


def item_id_of(item: str) -> str:
    """Return the id within an item's name; every command takes it in place of the name."""
    return item.rpartition("/")[2]


def query_digests(image: EncodedImage) -> frozenset[str]:
    """Return the digests that an item of the same image has: of the file, or of the file and the frame."""
    return frozenset({ids.image_digest(image.data), ids.image_digest(image.data, image.frame)})


def asked_with(source: "SearchSource") -> "PlainSource":
    """Return what is asked with, without what the reader thinks of items."""
    from xmirad.client.search_types import Feedback

    return source.source if isinstance(source, Feedback) else source


def _query_items(client: "Client", archive: str, source: "SearchSource", response: "SearchResponse") -> frozenset[str]:
    asked = asked_with(source)
    if isinstance(asked, str):
        return frozenset({asked})
    if not isinstance(asked, EncodedImage):
        return frozenset()
    names = [result.item for result in response.results if result.score >= SAME_IMAGE_SCORE]
    if not names:
        return frozenset()
    digests = query_digests(asked)
    return frozenset(item.name for item in client.batch_get_items(archive, names) if item.image_digest in digests)
