"""The results of a search as one self-contained page: no script, no request, pictures inside."""

from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO

from PIL import Image

from xmirad.cli.evidence_words import evidence_lines
from xmirad.cli.pictures import Picture
from xmirad.cli.ranking import NAMES_WITHHELD, Ranking, item_id_of, item_title
from xmirad.client.search_types import SearchResult
from xmirad.evaluation.pages import data_uri, page_template
from xmirad.types import SamePatient

QUERY_SIDE = 512
JPEG_QUALITY = 88
SAME_PATIENT = {
    SamePatient.YES: "same patient",
    SamePatient.NO: "another patient",
    SamePatient.UNKNOWN: "patient not known",
}


@dataclass(frozen=True, slots=True)
class Card:
    """A result on the page.

    Attributes:
        rank: Position, counted from 1.
        score: Cosine similarity, as text.
        source: Data URI of its thumbnail; empty if there is none.
        title: What people call it.
        labels: Its labels.
        patient: Whether it shows the query's patient, in words; empty where that was not compared.
        is_same_patient: True if it does.
        is_query: True if it is the query itself.
        item: Its id.
    """

    rank: int
    score: str
    source: str
    title: str
    labels: tuple[str, ...]
    patient: str
    is_same_patient: bool
    is_query: bool
    item: str


def render_page(ranked: Ranking, *, query: str, picture: Picture | None, archive: str) -> str:
    """Return the results of a search as an HTML page.

    Args:
        ranked: The results.
        query: What people call the query.
        picture: The query, or None if there is no picture of it.
        archive: Name of the archive.
    """
    response = ranked.response
    evidence = response.evidence
    return page_template("results.html.j2", package="xmirad.cli").render(
        query=query,
        picture="" if picture is None else _jpeg(picture),
        archive=archive,
        response=response,
        cards=[_card(result, is_query=result.item in ranked.query_items) for result in response.results],
        evidence=[] if evidence is None else evidence_lines(evidence),
        is_unlike=evidence is not None and bool(evidence.out_of_distribution),
        withheld=NAMES_WITHHELD if ranked.names_withheld else "",
        created=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


def _card(result: SearchResult, *, is_query: bool) -> Card:
    return Card(
        rank=result.rank,
        score=f"{result.score:.4f}",
        source=data_uri(result.thumbnail, "image/jpeg") if result.thumbnail else "",
        title=item_title(result.identity, result.item),
        labels=result.labels,
        patient=SAME_PATIENT[result.same_patient] if result.same_patient else "",
        is_same_patient=result.same_patient is SamePatient.YES,
        is_query=is_query,
        item=item_id_of(result.item),
    )


def _jpeg(picture: Picture) -> str:
    image = Image.fromarray(picture.pixels)
    image.thumbnail((QUERY_SIDE, QUERY_SIDE), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    image.save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return data_uri(buffer.getvalue(), "image/jpeg")
