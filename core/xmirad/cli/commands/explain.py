"""`xmirad explain`: shows why an item was found for a query."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xmirad.cli import filters, options, ranking
from xmirad.cli.commands.explanations import told_if_interrupted
from xmirad.cli.commands.search import item_named, query_source, with_feedback
from xmirad.cli.output import Output
from xmirad.cli.session import connected, max_image_bytes
from xmirad.errors import InvalidRequestError
from xmirad.saliency.attention import AttentionForm
from xmirad.saliency.codec import Codec
from xmirad.saliency.lattice import STRIDE, WINDOW
from xmirad.saliency.method import ExplainedImage
from xmirad.types import EncodedImage, PatientPolicy, WorkerKind

if TYPE_CHECKING:
    from xmirad.cli.explaining import Named
    from xmirad.client.client import Client
    from xmirad.client.search_types import SearchSource

EXAMPLES = """\b
Examples:
  xmirad explain chest.png 1 --archive covidx --watch -o why.png
  xmirad explain ITEM ITEM --archive covidx --explained-image both -o why.png
  xmirad explain ITEM --self --archive covidx -o self.png
  xmirad explain chest.png 1 --contrast 2 --archive covidx --explained-image query -o why-first.png
  xmirad explain chest.png 1 --archive covidx --method activation --point 120,80 -o match.png"""

NO_RESULT = ""
RANKING_OPTIONS = (
    "top_k",
    "labels",
    "datasets",
    "splits",
    "sources",
    "modalities",
    "body_parts",
    "view_positions",
    "sexes",
    "years",
    "ages",
    "patient",
    "issuer",
    "patient_policy",
    "exclude_query_item",
    "min_score",
    "exact",
)


def explain(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="Image file, DICOM file, or item.", show_default=False)],
    archive: options.Archive,
    result: Annotated[
        str, typer.Argument(help="Rank in `xmirad search` with the same options, 1 the nearest; or an item.")
    ] = NO_RESULT,
    frame: ranking.Frame = None,
    is_self: Annotated[bool, typer.Option("--self", help="Explain an item by itself: what its embedding rests on.")] = (
        False
    ),
    contrast: Annotated[str, typer.Option(help="Explain why the result comes before this item or rank.")] = "",
    top_k: ranking.TopK = ranking.DEFAULT_TOP_K,
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
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write query and result with the map and what it is worth: .png or .jpg. Or its values: .npy.",
        ),
    ] = None,
    overlay_only: Annotated[
        bool, typer.Option("--overlay-only", help="Write the explained image with the map over it and nothing else.")
    ] = False,
    cancel_on_interrupt: Annotated[
        bool, typer.Option("--cancel-on-interrupt", help="At Ctrl-C stop the work; else it goes on in the queue.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show every step, and wait for the fidelity.")] = False,
    as_json: options.Json = False,
) -> None:
    """Show why an item was found for a query."""
    from xmirad.cli.explaining import ExplainedPair, Follower, check_method_options, method_of

    output = Output(as_json)
    if is_self == bool(result):
        raise InvalidRequestError("name either a result or --self", field="result")
    given = given_options(context)
    check_method_options(given, method)
    chosen = method_of(method, context.params, archive=archive)
    follower = Follower(output, file=file, watch=watch, overlay_only=overlay_only)
    image = query_source(query, archive=archive, frame=frame, max_bytes=max_image_bytes(context))
    source = with_feedback(image, more_like or (), less_like or (), archive=archive)
    asked = ranking.RankingOptions.of(context.params)
    if not any(named.isdecimal() for named in (result, contrast)) and (unused := unused_options(given)):
        output.note(f"note: {', '.join(unused)} decide which item has which rank, and no rank is named")
    with (
        connected(context, output, workers=(WorkerKind.EXPLAINER,)) as client,
        told_if_interrupted(client, output, name=lambda: follower.explanation, cancels=cancel_on_interrupt),
    ):
        chooser = ItemChooser(client, source, archive, asked, ranks=[result, contrast])
        explained = chooser.own_item(query) if is_self else chooser.item(result, "result")
        output.text(f"explains {explained.description}, item {ranking.item_id_of(explained.item)}")
        if explained.is_query and not is_self:
            output.note(advice_on(explained))
        pair = ExplainedPair(
            client,
            source,
            query=ranking.query_title(client, source, query),
            result=explained,
            contrast=chooser.item(contrast, "contrast") if contrast else None,
            is_self=is_self,
        )
        follower.follow(
            client,
            source,
            pair,
            method=chosen,
            explained_image=explained_image or (ExplainedImage.QUERY if contrast else ExplainedImage.RESULT),
        )


def given_options(context: typer.Context) -> frozenset[str]:
    """Return the names of the parameters that are on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return frozenset(name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE")


def unused_options(given: frozenset[str]) -> list[str]:
    """Return those of the options on the command line that decide ranks only, as they are written."""
    return [f"--{name.replace('_', '-')}" for name in RANKING_OPTIONS if name in given]


def advice_on(explained: "Named") -> str:
    """Say what to do about a result that is the query itself."""
    text = "note: this result is the query itself, so its map shows what its own embedding rests on"
    if explained.rank is None:
        return text
    return (
        f"{text}; {explained.rank + 1} names the next result, and --exclude-query-item leaves the query out "
        "(of `xmirad search` too)"
    )


class ItemChooser:
    """Finds the items that an explanation names: by id, or by their rank in the search of `xmirad search`."""

    def __init__(
        self,
        client: "Client",
        source: "SearchSource",
        archive: str,
        asked: ranking.RankingOptions,
        *,
        ranks: Sequence[str],
    ) -> None:
        """Search for nothing yet.

        Args:
            client: The service.
            source: What is asked with.
            archive: The archive's id.
            asked: What decides the ranks.
            ranks: All that will be asked for; the search returns at least as many results as the highest rank.
        """
        self._client = client
        self._source = source
        self._archive = archive
        highest = max((int(rank) for rank in ranks if rank.isdecimal()), default=0)
        self._asked = replace(asked, top_k=max(asked.top_k, highest))
        self._ranking: ranking.Ranking | None = None

    def item(self, named: str, field: str) -> "Named":
        """Return the item of a rank, or the item that is named in full or by its id.

        Raises:
            InvalidRequestError: If it is neither, or there is no such rank.
            ItemNotFoundError: If there is no such item.
        """
        from xmirad.cli.explaining import Named

        if not named.isdecimal():
            return self._by_name(item_named(named, archive=self._archive, field=field, or_rank=", or a rank"))
        rank = ranking.rank_of(named, field=field)
        if self._ranking is None:
            self._ranking = ranking.rank_items(self._client, self._archive, self._source, self._asked)
        found = self._ranking.result_at(rank, field=field)
        title = ranking.item_title(found.identity, found.item)
        is_query = found.item in self._ranking.query_items
        return Named(found.item, title, found.labels, rank, found.score, is_query)

    def own_item(self, query: str) -> "Named":
        """Return the item that the query is: the item that is named, or the one with the same content as a file.

        Raises:
            InvalidRequestError: If the archive has no item of that content.
        """
        if isinstance(self._source, str):
            return self._by_name(self._source)
        found = ranking.rank_items(self._client, self._archive, self._source, ranking.RankingOptions())
        for name in sorted(found.query_items):
            return self._by_name(name)
        message = f"{query} is not in the archive {self._archive}, and --self explains an item of it: index it first"
        raise InvalidRequestError(message, field="query")

    def _by_name(self, name: str) -> "Named":
        from xmirad.cli.explaining import Named

        found = ranking.find_item(self._client, name)
        is_query = name == self._source
        if isinstance(self._source, EncodedImage):
            is_query = found.image_digest in ranking.query_digests(self._source)
        title = ranking.item_title(found.identity, name)
        return Named(name, title, found.attributes.labels, is_query=is_query)
