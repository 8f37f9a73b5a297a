"""`xmirad explain`: shows why an item was found for a query."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xmirad import ids
from xmirad.cli import options
from xmirad.cli.commands.explanations import told_if_interrupted
from xmirad.cli.commands.search import ITEM_NAME, is_item_id, query_source
from xmirad.cli.output import Output
from xmirad.cli.session import connected, max_image_bytes
from xmirad.errors import InvalidRequestError
from xmirad.saliency.attention import AttentionForm
from xmirad.saliency.codec import Codec
from xmirad.saliency.lattice import STRIDE, WINDOW
from xmirad.saliency.masking import Fill
from xmirad.saliency.method import ExplainedImage
from xmirad.types import EncodedImage

if TYPE_CHECKING:
    from xmirad.client.client import Client

EXAMPLES = """\b
Examples:
  xmirad explain chest.png 1 --archive covidx --watch -o why.png
  xmirad explain ITEM ITEM --archive covidx --explained-image both -o why.png
  xmirad explain ITEM --self --archive covidx -o self.png
  xmirad explain chest.png 1 --contrast 2 --archive covidx --explained-image query -o why-first.png
  xmirad explain chest.png 1 --archive covidx --method activation --point 120,80 -o match.png"""

NO_RESULT = ""


def explain(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="Image file, DICOM file, or item.", show_default=False)],
    archive: options.Archive,
    result: Annotated[str, typer.Argument(help="Item, or the rank of a search: 1 is the nearest.")] = NO_RESULT,
    frame: Annotated[int | None, typer.Option(help="Frame of a DICOM file, counted from 1.")] = None,
    is_self: Annotated[bool, typer.Option("--self", help="Explain an item by itself: what its embedding rests on.")] = (
        False
    ),
    contrast: Annotated[str, typer.Option(help="Explain why the result comes before this item or rank.")] = "",
    method: Annotated[options.MethodName, typer.Option(help="How to explain.")] = options.MethodName.OCCLUSION,
    explained_image: Annotated[
        ExplainedImage | None, typer.Option(help="On which image the map lies. Default: result; query with --contrast.")
    ] = None,
    window: Annotated[int, typer.Option(help="Occlusion: width of a window in pixels.")] = WINDOW,
    stride: Annotated[int, typer.Option(help="Occlusion: distance of the windows in pixels.")] = STRIDE,
    fill: Annotated[options.FillName, typer.Option(help="Occlusion: what a hidden window shows.")] = (
        options.FillName.ZERO
    ),
    codec: Annotated[Codec, typer.Option(help="Occlusion: how finely embeddings are kept.")] = Codec.INT8,
    signed: Annotated[bool, typer.Option("--signed", help="Keep what speaks against the match.")] = False,
    form: Annotated[AttentionForm, typer.Option(help="Attention: what the query is compared with.")] = (
        AttentionForm.SIAMESE_POSITIVE
    ),
    positive: Annotated[list[str] | None, typer.Option(help="Attention: item that looks alike.")] = None,
    negative: Annotated[list[str] | None, typer.Option(help="Attention: item that does not.")] = None,
    point: Annotated[str, typer.Option(help="Activation: row,column on the query; shows what it matches.")] = "",
    file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the map: .png over the image, or .npy.")
    ] = None,
    cancel_on_interrupt: Annotated[
        bool, typer.Option("--cancel-on-interrupt", help="At Ctrl-C stop the work; else it goes on in the queue.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show every step, and wait for the fidelity.")] = False,
    as_json: options.Json = False,
) -> None:
    """Show why an item was found for a query."""
    from xmirad.cli.explaining import Follower, method_of, point_of

    output = Output(as_json)
    if is_self == bool(result):
        raise InvalidRequestError("name either a result or --self", field="result")
    source = query_source(query, archive=archive, frame=frame, max_bytes=max_image_bytes(context))
    chosen = method_of(
        method,
        window=window,
        stride=stride,
        fill=Fill(fill),
        codec=codec,
        signed=signed,
        form=form,
        positives=[_item(name, archive, "positive") for name in positive or ()],
        negatives=[_item(name, archive, "negative") for name in negative or ()],
        point=point_of(point),
    )
    follower = Follower(output, file=file, watch=watch)
    with (
        connected(context, output, explains=True) as client,
        told_if_interrupted(client, output, name=lambda: follower.explanation, cancels=cancel_on_interrupt),
    ):
        ranked = _Ranking(client, source, archive)
        follower.follow(
            client,
            source,
            ranked.item(_own_item(source) if is_self else result, "result"),
            method=chosen,
            explained_image=explained_image or (ExplainedImage.QUERY if contrast else ExplainedImage.RESULT),
            contrast_item=ranked.item(contrast, "contrast") if contrast else "",
        )


class _Ranking:
    """Finds items by their rank in a search with the query, which is run if a rank is named."""

    def __init__(self, client: "Client", source: EncodedImage | str, archive: str) -> None:
        self._client = client
        self._source = source
        self._archive = archive

    def item(self, named: str, field: str) -> str:
        if not named.isdecimal():
            return _item(named, self._archive, field)
        rank = int(named)
        found = self._client.search(self._archive, self._source, top_k=max(rank, 1), exclude_query_item=True).results
        if not 1 <= rank <= len(found):
            limits = {"value": named, "lowest": "1", "highest": str(len(found))}
            raise InvalidRequestError(f"{field} must be a rank of 1 to {len(found)}", field=field, metadata=limits)
        return found[rank - 1].item


def _item(named: str, archive: str, field: str) -> str:
    if is_item_id(named):
        return ids.item_name(archive, named)
    if ITEM_NAME.fullmatch(named):
        return named
    raise InvalidRequestError(f"{field} must be the name or the id of an item, or a rank", field=field)


def _own_item(source: EncodedImage | str) -> str:
    if isinstance(source, EncodedImage):
        raise InvalidRequestError("--self explains an item of the archive, not a file", field="query")
    return source
