"""The metrics of the retrieval service: `xmirad_<noun>_<unit>`, with labels from closed sets."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

FAST_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
REQUEST_SECONDS = (*FAST_SECONDS, 10.0, 30.0, 60.0)
MAX_ARCHIVES = 100
OTHER = "other"
ALL = "all"


class RetrievalMetrics:
    """What the retrieval service counts and measures.

    Attributes:
        decode_seconds: Time of decoding and preprocessing an image.
        embed_seconds: Time of computing embeddings.
        search_seconds: Time of the vector store's queries.
        index_seconds: Time from an upload's arrival to its receipt.
    """

    def __init__(self, registry: CollectorRegistry, *, methods: Collection[str]) -> None:
        """Register the metrics.

        Args:
            registry: Where the metrics page takes them from.
            methods: Names of the methods that exist. Calls of others are counted as `other`.
        """
        self._methods = frozenset(methods)
        self._requests = Counter("xmirad_requests", "Finished requests.", ["method", "code"], registry=registry)
        self._request_seconds = Histogram(
            "xmirad_request_seconds", "Time of a request.", ["method"], registry=registry, buckets=REQUEST_SECONDS
        )
        self._in_flight = Gauge("xmirad_requests_in_flight", "Requests being answered.", ["method"], registry=registry)
        self._serving = Gauge("xmirad_serving", "Whether a service is served; 1 or 0.", ["service"], registry=registry)
        self._uploads = Gauge(
            "xmirad_uploads_in_flight", "Images that have arrived and are not stored yet.", registry=registry
        )
        self._items = Counter("xmirad_items_indexed", "Uploads by what they came to.", ["outcome"], registry=registry)
        self._archive = Gauge("xmirad_archive_items", "Items of an archive.", ["archive"], registry=registry)
        self._model = Gauge("xmirad_model_info", "Models in use; always 1.", ["model", "digest"], registry=registry)
        self._explanations = Counter(
            "xmirad_explanations_created", "Creates of explanations by state.", ["state"], registry=registry
        )
        self._cache_bytes = Gauge("xmirad_cache_bytes", "Size of the occlusion cache.", registry=registry)
        self._cache_entries = Gauge("xmirad_cache_entries", "Images in the occlusion cache.", registry=registry)
        self._cache_budget = Gauge("xmirad_cache_budget_bytes", "Most that the cache may hold.", registry=registry)
        self._import_waiting = Gauge(
            "xmirad_import_waiting_images", "Images that imports have found and not settled.", registry=registry
        )
        self._import_failed = Gauge(
            "xmirad_import_failed_images", "Images that each archive's latest import did not store.", registry=registry
        )
        self._failed_imports = Gauge("xmirad_imports_failed", "Archives whose latest import failed.", registry=registry)
        self.decode_seconds = Histogram(
            "xmirad_decode_seconds", "Time of decoding an image.", registry=registry, buckets=FAST_SECONDS
        )
        self.embed_seconds = Histogram(
            "xmirad_embed_seconds", "Time of computing embeddings.", registry=registry, buckets=FAST_SECONDS
        )
        self.search_seconds = Histogram(
            "xmirad_search_seconds", "Time of a query of the vector store.", registry=registry, buckets=FAST_SECONDS
        )
        self.index_seconds = Histogram(
            "xmirad_index_seconds", "Time of storing an image.", registry=registry, buckets=REQUEST_SECONDS
        )

    def set_cache(self, size: int, *, entries: int, budget: int) -> None:
        """Show the occlusion cache: the bytes of its entries, how many there are, and how many bytes it may hold."""
        self._cache_bytes.set(size)
        self._cache_entries.set(entries)
        self._cache_budget.set(budget)

    def set_imports(self, *, waiting: int, failed_images: int, failed: int) -> None:
        """Show how far the latest imports of all archives are, together.

        Args:
            waiting: Images that were found and are not settled.
            failed_images: Images that were not stored.
            failed: How many of the imports failed.
        """
        self._import_waiting.set(waiting)
        self._import_failed.set(failed_images)
        self._failed_imports.set(failed)

    def set_serving(self, service: str, *, is_served: bool) -> None:
        """Show whether a service is served; an empty name stands for all."""
        self._serving.labels(service or ALL).set(int(is_served))

    @contextmanager
    def uploading(self) -> Iterator[None]:
        """Count and time an image that is being stored for the length of the block."""
        with self._uploads.track_inprogress(), self.index_seconds.time():
            yield

    def explanation_created(self, state: str) -> None:
        """Count a create by the state of what is there then."""
        self._explanations.labels(state).inc()

    @contextmanager
    def in_flight(self, method: str) -> Iterator[None]:
        """Count a request as being answered for the length of the block."""
        gauge = self._in_flight.labels(self._label(method))
        gauge.inc()
        try:
            yield
        finally:
            gauge.dec()

    def request_finished(self, method: str, code: str, seconds: float) -> None:
        """Count a request.

        Args:
            method: The method's name, such as `xmirad.v1.RetrievalService/Search`.
            code: The name of its gRPC status, such as `OK`.
            seconds: How long it took.
        """
        label = self._label(method)
        self._requests.labels(label, code).inc()
        self._request_seconds.labels(label).observe(seconds)

    def item_indexed(self, outcome: str) -> None:
        """Count an upload: `created`, `updated`, `unchanged`, or the reason of its error."""
        self._items.labels(outcome.lower()).inc()

    def set_archive_items(self, sizes: Mapping[str, int]) -> None:
        """Replace the sizes of all archives. Those beyond the 100 largest are added up as `other`."""
        largest = sorted(sizes, key=lambda archive: (-sizes[archive], archive))
        self._archive.clear()
        for archive in largest[:MAX_ARCHIVES]:
            self._archive.labels(archive).set(sizes[archive])
        if len(largest) > MAX_ARCHIVES:
            self._archive.labels(OTHER).inc(sum(sizes[archive] for archive in largest[MAX_ARCHIVES:]))

    def model_in_use(self, name: str, digest: str) -> None:
        """Name a model that the service has loaded."""
        self._model.labels(name, digest).set(1)

    def _label(self, method: str) -> str:
        return method if method in self._methods else OTHER
