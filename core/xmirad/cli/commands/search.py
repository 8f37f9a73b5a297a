"""`xmirad search`: shows the items of an archive that look most like a query."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from xmirad import ids
from xmirad.cli import filters, options
from xmirad.cli.evidence_words import evidence_lines
from xmirad.cli.output import Output
from xmirad.cli.session import connected, max_image_bytes
from xmirad.errors import InvalidRequestError
from xmirad.regular_files import MAX_IMAGE_BYTES, read_regular_file
from xmirad.types import EncodedImage, Patient, PatientPolicy

if TYPE_CHECKING:
    from xmirad.client.search_types import SearchResponse, SearchSource

EXAMPLES = """\b
Examples:
  xmirad search chest.png --archive covidx --top-k 5
  xmirad search scan.dcm --frame 3 --archive wards --patient-policy exclude
  xmirad search archives/covidx/items/0a1b... --archive covidx --exclude-query-item --json
  xmirad search chest.png --archive covidx --more-like 0a1b... --less-like 2c3d..."""
ITEM_NAME = re.compile(r"archives/[^/]+/items/[^/]+")


def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="Image file, DICOM file, or the name of an item.", show_default=False)],
    archive: options.Archive,
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="How many results.")] = 10,
    frame: Annotated[int | None, typer.Option(help="Frame of a DICOM file, counted from 1.")] = None,
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
    patient: Annotated[str, typer.Option(help="Patient ID of the query, where no header tells.")] = "",
    issuer: Annotated[str, typer.Option(help="Issuer of the Patient ID.")] = "",
    patient_policy: Annotated[
        PatientPolicy, typer.Option(help="What to do with items of the query's own patient.")
    ] = PatientPolicy.INCLUDE,
    exclude_query_item: Annotated[
        bool, typer.Option("--exclude-query-item", help="Leave the query's own item out.")
    ] = (False),
    min_score: Annotated[float | None, typer.Option(help="Leave out what scores below, -1 to 1.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Compare with every item.")] = False,
    more_like: Annotated[list[str] | None, typer.Option(help="Item that is what you look for.")] = None,
    less_like: Annotated[list[str] | None, typer.Option(help="Item that is not.")] = None,
    evidence: Annotated[bool, typer.Option(help="Say what the 10 nearest items tell of the query.")] = True,
    as_json: options.Json = False,
) -> None:
    """Show the items of an archive that look most like a query."""
    output = Output(as_json)
    source = with_feedback(
        query_source(query, archive=archive, frame=frame, max_bytes=max_image_bytes(context)),
        more_like or (),
        less_like or (),
        archive=archive,
    )
    asked = filters.item_filter(
        labels=labels,
        datasets=datasets,
        splits=splits,
        sources=sources,
        modalities=modalities,
        body_parts=body_parts,
        view_positions=view_positions,
        sexes=sexes,
        years=years,
        age_bands=ages,
    )
    with connected(context, output) as client:
        response = client.search(
            archive,
            source,
            top_k=top_k,
            filter=asked,
            patient=Patient(patient, issuer) if patient else None,
            patient_policy=patient_policy,
            exclude_query_item=exclude_query_item,
            min_score=min_score,
            exact=exact,
            evidence=evidence,
        )
    print_response(output, response)


def query_source(
    query: str, *, archive: str, frame: int | None = None, max_bytes: int = MAX_IMAGE_BYTES
) -> EncodedImage | str:
    """Return the name of an item that is named in full or by its id, else the image of a file.

    Raises:
        InvalidRequestError: If it is neither.
        PayloadTooLargeError: If the file has more than `max_bytes`.
    """
    if is_item_id(query):
        return ids.item_name(archive, query)
    if ITEM_NAME.fullmatch(query):
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


def item_named(text: str, *, archive: str, field: str) -> str:
    """Return the name of an item that is named in full or by its id.

    Raises:
        InvalidRequestError: If it is neither.
    """
    if is_item_id(text):
        return ids.item_name(archive, text)
    if ITEM_NAME.fullmatch(text):
        return text
    raise InvalidRequestError(f"{field} must be the name or the id of an item", field=field)


def print_response(output: Output, response: "SearchResponse") -> None:
    """Print the answer to a search."""
    output.json(response)
    output.table(
        (">rank", ">score", "labels", "same patient", "item"),
        [
            (result.rank, f"{result.score:.4f}", ", ".join(result.labels), result.same_patient or "", result.item)
            for result in response.results
        ],
    )
    for line in evidence_lines(response.evidence) if response.evidence is not None else ():
        output.text(line)
    timings = response.timings
    kind = "exact" if response.exact else "approximate"
    output.text(
        f"{response.searched_items} items searched ({kind}): decode {timings.decode_ms:.1f} ms, "
        f"embed {timings.embed_ms:.1f} ms, search {timings.search_ms:.1f} ms"
    )


def is_item_id(text: str) -> bool:
    """Return whether a text has the form of an item's id."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
