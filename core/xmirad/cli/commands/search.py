"""`xmirad search`: shows the items of an archive that look most like a query."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from xmirad import ids
from xmirad.cli import filters, options, ranking
from xmirad.cli.evidence_words import evidence_lines
from xmirad.cli.output import Output, check_output_file, replace_file
from xmirad.cli.session import connected, max_image_bytes
from xmirad.errors import InvalidRequestError
from xmirad.regular_files import MAX_IMAGE_BYTES, read_regular_file
from xmirad.types import EncodedImage, PatientPolicy

if TYPE_CHECKING:
    from xmirad.client.client import Client
    from xmirad.client.search_types import SearchSource

EXAMPLES = """\b
Examples:
  xmirad search chest.png --archive covidx --top-k 5
  xmirad search scan.dcm --frame 3 --archive wards --patient-policy exclude
  xmirad search archives/covidx/items/0a1b... --archive covidx --exclude-query-item --json
  xmirad search chest.png --archive covidx -o results.html
  xmirad search chest.png --archive covidx --more-like 0a1b... --less-like 2c3d..."""
ITEM_NAME = re.compile(r"archives/[^/]+/items/[^/]+")


def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="Image file, DICOM file, or the name of an item.", show_default=False)],
    archive: options.Archive,
    top_k: ranking.TopK = ranking.DEFAULT_TOP_K,
    frame: ranking.Frame = None,
    labels: filters.Labels = None,
    datasets: filters.Datasets = None,
    splits: filters.Splits = None,
    sources: filters.Sources = None,
    modalities: filters.Modalities = None,
    body_parts: filters.BodyParts = None,
    view_positions: filters.Views = None,
    sexes: filters.Sexes = None,
    years: filters.Years = "",
    ages: filters.AgeBands = "",
    patient: ranking.PatientId = "",
    issuer: ranking.Issuer = "",
    patient_policy: ranking.Policy = PatientPolicy.INCLUDE,
    exclude_query_item: ranking.ExcludeQueryItem = False,
    min_score: ranking.MinScore = None,
    exact: ranking.Exact = False,
    more_like: ranking.MoreLike = None,
    less_like: ranking.LessLike = None,
    evidence: Annotated[bool, typer.Option(help="Say what the 10 nearest items tell of the query.")] = True,
    file: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write a page with the query and its results: .html, self-contained."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show the items of an archive that look most like a query."""
    output = Output(as_json)
    if file is not None:
        check_output_file(file, suffixes=(".html", ".htm"))
    source = with_feedback(
        query_source(query, archive=archive, frame=frame, max_bytes=max_image_bytes(context)),
        more_like or (),
        less_like or (),
        archive=archive,
    )
    asked = ranking.RankingOptions.of(context.params)
    with connected(context, output) as client:
        ranked = ranking.rank_items(client, archive, source, asked, evidence=evidence)
        if file is not None:
            write_page(client, file, ranked, source, query=query, archive=archive)
    print_ranking(output, ranked)
    if file is not None:
        output.text(f"written: {file}")


def write_page(
    client: "Client", file: Path, ranked: ranking.Ranking, source: "SearchSource", *, query: str, archive: str
) -> None:
    """Write a page of the results with the picture of the query."""
    from xmirad.cli.pictures import query_picture
    from xmirad.cli.result_page import render_page

    picture = query_picture(client, source)
    page = render_page(ranked, query=ranking.query_title(client, source, query), picture=picture, archive=archive)
    replace_file(file, page.encode())


def query_source(
    query: str, *, archive: str, frame: int | None = None, max_bytes: int = MAX_IMAGE_BYTES
) -> EncodedImage | str:
    """Return the image of a file, else the name of an item that is named in full or by its id; a file comes first.

    Raises:
        InvalidRequestError: If it is neither.
        PayloadTooLargeError: If the file has more than `max_bytes`.
    """
    is_file = Path(query).exists()
    if is_item_id(query) and not is_file:
        return ids.item_name(archive, query)
    if ITEM_NAME.fullmatch(query) and not is_file:
        return query
    try:
        return EncodedImage(read_regular_file(Path(query), max_bytes=max_bytes), frame=frame)
    except OSError as error:
        message = f"{query} is neither a readable file ({error.strerror}) nor the name of an item"
        raise InvalidRequestError(message, field="query") from error


def with_feedback(
    source: EncodedImage | str, more_like: Sequence[str], less_like: Sequence[str], *, archive: str
) -> "SearchSource":
    """Return what is asked with, together with what the reader thinks of items, by name or id, if anything."""
    from xmirad.client.search_types import Feedback

    if not more_like and not less_like:
        return source
    positives = tuple(item_named(name, archive=archive, field="more_like") for name in more_like)
    negatives = tuple(item_named(name, archive=archive, field="less_like") for name in less_like)
    return Feedback(source, positives, negatives)


def item_named(text: str, *, archive: str, field: str, or_rank: str = "") -> str:
    """Return the name of an item that is named in full or by its id.

    Raises:
        InvalidRequestError: If it is neither.
    """
    if is_item_id(text):
        return ids.item_name(archive, text)
    if ITEM_NAME.fullmatch(text):
        return text
    raise InvalidRequestError(f"{field} must be the name or the id of an item{or_rank}", field=field)


def print_ranking(output: Output, ranked: ranking.Ranking) -> None:
    """Print the answer to a search; a warning that the archive holds nothing like the query comes first."""
    response = ranked.response
    output.json(response)
    evidence = evidence_lines(response.evidence) if response.evidence is not None else []
    is_unlike = response.evidence is not None and bool(response.evidence.out_of_distribution)
    if is_unlike:
        for line in evidence:
            output.text(line, is_warning=True)
    compared = any(result.same_patient is not None for result in response.results)
    columns = (">rank", ">score", "name", "labels", *(("same patient",) if compared else ()), "item")
    rows = [
        (
            result.rank,
            f"{result.score:.4f}",
            ranking.item_title(result.identity, result.item) + mark_of(ranked, result.item),
            ", ".join(result.labels),
            *((result.same_patient or "",) if compared else ()),
            ranking.item_id_of(result.item),
        )
        for result in response.results
    ]
    output.table(columns, rows, last_below=columns.index("name"))
    if ranked.names_withheld:
        output.note(ranking.NAMES_WITHHELD)
    for note in response.decoding_notes:
        output.note(f"how the query was decoded: {note}")
    for line in () if is_unlike else evidence:
        output.text(line)
    timings = response.timings
    kind = "exact" if response.exact else "approximate"
    output.text(
        f"{response.searched_items} items searched ({kind}): decode {timings.decode_ms:.1f} ms, "
        f"embed {timings.embed_ms:.1f} ms, search {timings.search_ms:.1f} ms"
    )


def mark_of(ranked: ranking.Ranking, item: str) -> str:
    """Return what stands behind the name of the query itself."""
    return " (the query itself)" if item in ranked.query_items else ""


def is_item_id(text: str) -> bool:
    """Return whether a text has the form of an item's id."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
