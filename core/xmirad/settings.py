"""Everything that can be set, as one frozen value.

What the command line says wins over `XMIRAD_*` environment variables (`__` goes one level down), those over the TOML
file (`XMIRAD_CONFIG`, else `config.toml` in the home folder), and that over the defaults. Deployables read their
settings once with `xmirad.settings_sources.load_settings` and hand them on; nothing else reads the environment.
"""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from xmirad.regular_files import MAX_IMAGE_BYTES
from xmirad.settings_base import (
    MAX_PORT,
    Address,
    FilePath,
    FolderAlias,
    FolderPath,
    PlainUrl,
    SettingsGroup,
    absolute,
)
from xmirad.settings_security import ClientSettings, SecuritySettings
from xmirad.types import BackboneKind, EdgeIndex

MIB = 1024 * 1024
CONFIG_VARIABLE = "XMIRAD_CONFIG"
HOME_VARIABLE = "XMIRAD_HOME"
DEFAULT_HOME = Path("~/.xmirad")


class StoreKind(StrEnum):
    """Where embeddings are searched."""

    EDGE = "edge"
    QDRANT = "qdrant"


class LogFormat(StrEnum):
    """How log lines look."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least severe log lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class ServerSettings(SettingsGroup):
    """The gRPC server of the retrieval service."""

    address: Address = Field("127.0.0.1:50051", description="Where the service listens and clients look for it.")
    max_message_bytes: int = Field(64 * MIB, ge=MIB, description="Longest gRPC message in either direction.")
    reflection: bool = Field(True, description="Tell generic clients the contract (gRPC reflection).")
    drain_seconds: float = Field(10.0, ge=0, description="How long running requests may finish at shutdown.")
    max_stream_bytes: int = Field(
        512 * MIB, ge=MIB, description="Bytes of images that all streams together hold in memory."
    )
    stream_idle_seconds: float = Field(
        300.0,
        gt=0,
        description="When a stream of which nothing comes or is read is ended, or a call without its message.",
    )
    max_concurrent_requests: int = Field(64, ge=1, description="Requests beyond this many are refused as OVERLOADED.")


class LimitSettings(SettingsGroup):
    """What a request may ask for."""

    max_image_bytes: int = Field(MAX_IMAGE_BYTES, ge=1, description="Largest encoded image.")
    max_image_pixels: int = Field(40_000_000, ge=1, description="Most pixels of a decoded image.")
    decode_memory_bytes: int = Field(1536 * MIB, ge=64 * MIB, description="Memory that decoding an image may take.")
    decode_seconds: float = Field(
        30.0,
        gt=0,
        description="Wall-clock time that decoding an image may take; beyond it the answer is UNAVAILABLE. "
        "In imports at most 0.55 of `queue.task_seconds`.",
    )
    decode_cpu_seconds: float = Field(
        2.0, gt=0, description="Processor time that decoding an image may take, whatever its size."
    )
    decode_cpu_seconds_per_megapixel: float = Field(
        0.25, ge=0, description="Processor time that is allowed besides for each million of pixels."
    )
    max_top_k: int = Field(1_000, ge=1, description="Most results of a search.")
    max_ranking_top_k: int = Field(100_000, ge=1, description="Most results of a search in the RANKING view.")


class StoreSettings(SettingsGroup):
    """The vector store."""

    kind: StoreKind = Field(StoreKind.EDGE, description="`edge`: embedded in the service; `qdrant`: a Qdrant server.")
    edge_index: EdgeIndex = Field(
        EdgeIndex.FLAT,
        description="What an embedded index becomes by `xmirad archive rebuild`: `flat`, `hnsw` or `int8`.",
    )
    url: PlainUrl = Field("http://127.0.0.1:6334", description="gRPC URL of the Qdrant server, without credentials.")
    api_key: SecretStr | None = Field(None, description="API key of the Qdrant server.")
    api_key_file: FilePath | None = Field(None, description="File of the API key, instead of `store.api_key`.")
    ca_file: FilePath | None = Field(
        None, description="Certificates (PEM) that sign the Qdrant server's (https). Default: those of gRPC."
    )
    timeout_seconds: float = Field(10.0, gt=0, description="How long the store may take to answer.")


class CatalogSettings(SettingsGroup):
    """The catalog, which is the truth about archives and items."""

    url: SecretStr | None = Field(
        None,
        description="`postgresql://USER@HOST/DATABASE` (15 or later), or `sqlite:////FILE` on a local disk. "
        "Empty: `catalog.db` in the home folder.",
    )
    password_file: FilePath | None = Field(
        None, description="File of the PostgreSQL server's password, if the URL has none."
    )


class BlobSettings(SettingsGroup):
    """The blob store, which is the truth about bytes."""

    url: str = Field("", description="Folder or object store (fsspec URL). Empty: `blobs` in the home folder.")


class ThreadSettings(SettingsGroup):
    """Who gets how many threads and processes."""

    decode_children: int = Field(
        1,
        ge=1,
        description="Images that are decoded at a time, and as many that take long. One child more stands ready.",
    )
    model: int = Field(2, ge=1, description="Threads of the model.")
    blob_writers: int = Field(4, ge=1, description="Threads that write blobs.")


class QueueSettings(SettingsGroup):
    """The job queue of explanations."""

    url: SecretStr | None = Field(
        None, description="URL of the Redis or Valkey server. Empty: the one that `xmirad up` starts, if it runs."
    )
    password_file: FilePath | None = Field(None, description="File of the server's password, if the URL has none.")
    ca_file: FilePath | None = Field(
        None, description="Certificates (PEM) that sign the server's (rediss). Default: those of the system."
    )
    visibility_seconds: float = Field(
        30.0, ge=5, description="When a task that a worker took and never finished is given to another."
    )
    task_seconds: float = Field(12.0, gt=0, description="How long a task may run before it is stopped.")
    attempts: int = Field(3, ge=1, description="How often a task may fail before its explanation does.")
    max_waiting: int = Field(20_000, ge=1, description="Tasks that may wait on one queue; more are refused.")


class ExplanationSettings(SettingsGroup):
    """Explanations, and what is kept of them."""

    processes: int = Field(2, ge=1, description="Processes of an explainer, each of one thread.")
    backbone: BackboneKind = Field(
        BackboneKind.OPENVINO, description="What an explainer runs networks with: `openvino`, or `torch` (for a GPU)."
    )
    device: str = Field("cpu", min_length=1, description="Device of the torch backbone, such as `cpu` or `cuda:0`.")
    cache_bytes: int = Field(10 * 1024 * MIB, ge=MIB, description="Most bytes of the occlusion cache.")
    retention_seconds: float = Field(7 * 86_400.0, gt=0, description="When a finished explanation is deleted.")
    query_retention_seconds: float = Field(86_400.0, gt=0, description="When a stored query is deleted.")
    sweep_seconds: float = Field(
        15.0, gt=0, description="How often unfinished and expired explanations are looked for."
    )
    max_windows: int = Field(10_000, ge=1, description="Most windows of an occlusion map.")
    max_batch: int = Field(100, ge=1, description="Most explanations of one request.")


class ImportSettings(SettingsGroup):
    """Imports of folders that indexers reach."""

    folders: Mapping[FolderAlias, FolderPath] = Field(
        default_factory=dict,
        description="Folders and manifests that may be imported, by alias. As a variable: a JSON object.",
    )
    processes: int = Field(1, ge=1, description="Processes of an indexer, each with decoders and a model of its own.")


class LoggingSettings(SettingsGroup):
    """Logs of the deployables."""

    format: LogFormat = Field(LogFormat.AUTO, description="`console`, `json`, or `auto`: console on a terminal.")
    level: LogLevel = Field(LogLevel.INFO, description="Least severe lines that are written.")


class MetricsSettings(SettingsGroup):
    """Prometheus metrics."""

    port: int = Field(0, ge=0, le=MAX_PORT, description="Port of the metrics page; 0: none.")
    host: str = Field(
        "127.0.0.1", min_length=1, description="Interface of the metrics page, which asks for no credentials."
    )


class TracingSettings(SettingsGroup):
    """Traces (OpenTelemetry)."""

    endpoint: str = Field(
        "",
        pattern=r"^$|^https?://\S+$",
        description="OTLP gRPC URL of the collector, such as http://127.0.0.1:4317. Empty: no traces.",
    )
    service_name: str = Field("xmirad", min_length=1, description="Name of the system; `-retrieval` and so on follow.")
    share: float = Field(1.0, ge=0, le=1, description="Share of the requests to trace, unless the caller decides.")


def _default_models_dir(values: Mapping[str, Any]) -> Path:
    home = values.get("home")
    return (home if isinstance(home, Path) else absolute(DEFAULT_HOME)) / "models"


class Settings(BaseSettings):
    """All settings. `load_settings` reads them with errors that name the key at fault."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="XMIRAD_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        validate_default=True,
    )

    home: FolderPath = Field(DEFAULT_HOME, description="Folder for models, blobs, store, secrets and run files.")
    models_dir: FolderPath = Field(
        default_factory=_default_models_dir, description="Folder of the models. Default: `models` in the home folder."
    )
    default_model: str = Field(
        "efficientnet-lite0-imagenet", min_length=1, description="Model that is used where none is named."
    )
    site: str = Field("local", min_length=1, max_length=64, description="Site (tenant) that items belong to.")
    site_key_file: FilePath | None = Field(
        None, description="File of the site key: 32 bytes. Default: `secrets/site.key` in the home folder."
    )
    failpoint: str = Field("", description="For crash tests: the place, such as `after_record:25`, to die at.")
    server: ServerSettings = Field(default_factory=ServerSettings)
    security: SecuritySettings = Field(default_factory=SecuritySettings)
    client: ClientSettings = Field(default_factory=ClientSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    catalog: CatalogSettings = Field(default_factory=CatalogSettings)
    blobs: BlobSettings = Field(default_factory=BlobSettings)
    threads: ThreadSettings = Field(default_factory=ThreadSettings)
    queue: QueueSettings = Field(default_factory=QueueSettings)
    explanations: ExplanationSettings = Field(default_factory=ExplanationSettings)
    imports: ImportSettings = Field(default_factory=ImportSettings)
    logging: LoggingSettings = Field(default_factory=LoggingSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    tracing: TracingSettings = Field(default_factory=TracingSettings)

    @property
    def blobs_url(self) -> str:
        """Return the blob store's URL, which is a folder of the home unless one is set."""
        return self.blobs.url or (self.home / "blobs").as_uri()

    @property
    def blobs_folder(self) -> Path | None:
        """Return the blob store's folder, which need not be there yet, or None if it is no folder."""
        url = urlsplit(self.blobs_url)
        return Path(unquote(url.path)) if url.scheme in ("", "file") else None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, TOML file."""
        file = config_file(init_settings().get("home"))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)


def config_file(home: object = None) -> Path:
    """Return the path of the TOML file, which need not exist.

    Args:
        home: The home folder as the command line gives it, or None.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return absolute(Path(named))
    return absolute(Path(str(home or os.environ.get(HOME_VARIABLE) or DEFAULT_HOME))) / "config.toml"
