"""The methods of the synchronous client that explain."""

from collections.abc import Iterator, Sequence

from xmirad.api.vocabulary import ExplanationPriority
from xmirad.client import archive_calls, explanation_calls
from xmirad.client.connection import Connection
from xmirad.client.explanation_types import Explanation, ExplanationUpdate, Method, OcclusionMethod, WarmFigures
from xmirad.client.search_types import SearchSource
from xmirad.client.watching import ExplanationWatch, updates
from xmirad.saliency.method import ExplainedImage
from xmirad.types import ItemFilter

OCCLUSION = OcclusionMethod()
NO_FILTER = ItemFilter()


class ExplanationMethods:
    """Explains over a connection."""

    def __init__(self, connection: Connection) -> None:
        """Use a connection."""
        self._connection = connection

    def create_explanation(
        self,
        source: SearchSource,
        item: str,
        *,
        method: Method = OCCLUSION,
        explained_image: ExplainedImage = ExplainedImage.RESULT,
        contrast_item: str = "",
        published_fidelity: bool = False,
        priority: ExplanationPriority = ExplanationPriority.INTERACTIVE,
        include_overlay: bool = False,
    ) -> Explanation:
        """Ask why an item was found for a query; repeating the call returns the explanation that is there.

        Args:
            source: What was searched with: an image, the name of an item of the same archive, or a vector.
            item: Name of the item that was found.
            method: How to explain.
            explained_image: On which image the maps lie.
            contrast_item: Name of an item that was ranked behind, to explain why it was; OCCLUSION only.
            published_fidelity: Compute the maps' fidelity by the published definition too.
            priority: Who waits.
            include_overlay: Return pictures of the maps laid over the originals, if the maps are there already.
        """
        return self._connection.run(
            explanation_calls.create_explanation(
                source,
                item,
                method=method,
                explained_image=explained_image,
                contrast_item=contrast_item,
                published_fidelity=published_fidelity,
                priority=priority,
                include_overlay=include_overlay,
            )
        )

    def create_explanations(
        self,
        source: SearchSource,
        items: Sequence[str],
        *,
        method: Method = OCCLUSION,
        explained_image: ExplainedImage = ExplainedImage.RESULT,
        contrast_item: str = "",
        published_fidelity: bool = False,
        priority: ExplanationPriority = ExplanationPriority.INTERACTIVE,
    ) -> list[Explanation]:
        """Ask why several items were found for one query, in one pass over the query.

        Returns:
            The explanations in the order of the items, without their maps.
        """
        return self._connection.run(
            explanation_calls.create_explanations(
                source,
                items,
                method=method,
                explained_image=explained_image,
                contrast_item=contrast_item,
                published_fidelity=published_fidelity,
                priority=priority,
            )
        )

    def explanation(self, name: str, *, include_overlay: bool = False) -> Explanation:
        """Return an explanation as it is now."""
        return self._connection.run(explanation_calls.explanation(name, include_overlay=include_overlay))

    def explanations(self, *, archive: str = "") -> Iterator[Explanation]:
        """Yield the explanations of an archive, or all, in the order of their ids, without their maps."""
        return self._connection.entries(lambda token: explanation_calls.explanations(archive, token))

    def watch_explanation(
        self, name: str, token: str = "", *, include_overlay: bool = False
    ) -> Iterator[ExplanationUpdate]:
        """Yield an explanation after every change, until nothing more will change.

        A stream that breaks is taken up again where it was. Closing the iterator ends the watch, not the work.

        Args:
            name: `explanations/{explanation}`.
            token: That of the last update seen, to go on behind it.
            include_overlay: Return pictures of the maps laid over the originals.

        Raises:
            BackendUnavailableError: If the service was not available for longer than the client's timeout.
        """
        timeout = self._connection.timeout_seconds
        return updates(
            self._connection,
            ExplanationWatch(name, token, include_overlay=include_overlay, timeout_seconds=timeout),
        )

    def explain(
        self,
        source: SearchSource,
        item: str,
        *,
        method: Method = OCCLUSION,
        explained_image: ExplainedImage = ExplainedImage.RESULT,
        contrast_item: str = "",
        published_fidelity: bool = False,
        priority: ExplanationPriority = ExplanationPriority.INTERACTIVE,
        include_overlay: bool = False,
    ) -> Iterator[Explanation]:
        """Create an explanation and yield it after every change until nothing more will change; see both methods."""
        created = self.create_explanation(
            source,
            item,
            method=method,
            explained_image=explained_image,
            contrast_item=contrast_item,
            published_fidelity=published_fidelity,
            priority=priority,
            include_overlay=include_overlay,
        )
        yield created
        if not created.is_settled:
            for update in self.watch_explanation(created.name, include_overlay=include_overlay):
                yield update.explanation

    def cancel_explanation(self, name: str) -> Explanation:
        """Stop the work on an explanation and return it; one that is done stays as it is."""
        return self._connection.run(explanation_calls.cancel_explanation(name))

    def delete_explanation(self, name: str) -> None:
        """Delete an explanation with its maps."""
        self._connection.run(explanation_calls.delete_explanation(name))

    def warm(
        self, archive: str, *, filter: ItemFilter = NO_FILTER, max_items: int = 0, dry_run: bool = False
    ) -> WarmFigures:
        """Have occlusion maps of items computed ahead, or with `dry_run` only say what that takes.

        Args:
            archive: The archive's id.
            filter: Which items.
            max_items: At most this many of them; 0 means all.
            dry_run: Only say what it would take.
        """
        return self._connection.run(
            archive_calls.warm(archive, item_filter=filter, max_items=max_items, dry_run=dry_run)
        )

    def cancel_warming(self, archive: str, *, filter: ItemFilter = NO_FILTER, max_items: int = 0) -> WarmFigures:
        """Have occlusion maps of items computed ahead no more; what is computed stays.

        Args:
            archive: The archive's id.
            filter: Which items.
            max_items: At most this many of them; 0 means all.
        """
        return self._connection.run(archive_calls.warm(archive, item_filter=filter, max_items=max_items, cancel=True))
