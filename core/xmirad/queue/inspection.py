"""What a Redis or Valkey server says of itself that matters to a queue."""

from dataclasses import dataclass

from xmirad.queue.connection import Server, available


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The facts.

    Attributes:
        program: Name and version.
        append_only: Whether writes are logged (AOF), so that a crash loses next to nothing.
        is_log_written: Whether the last write of that log succeeded; not if the disk is full.
        memory_policy: What it does when memory is full; only `noeviction` loses no task.
        used_bytes: Memory in use.
        most_bytes: Memory that it may use; 0: no bound.
    """

    program: str
    append_only: bool
    is_log_written: bool
    memory_policy: str
    used_bytes: int
    most_bytes: int


def server_facts(server: Server) -> ServerFacts:
    """Ask a server.

    Raises:
        BackendUnavailableError: If it does not answer, or refuses the credentials.
    """
    with available():
        info = server.info()
    name = "Valkey" if "valkey_version" in info else "Redis"
    return ServerFacts(
        program=f"{name} {info.get('valkey_version') or info.get('redis_version', 'of unknown version')}",
        append_only=bool(int(info.get("aof_enabled", 0))),
        is_log_written=info.get("aof_last_write_status", "ok") == "ok",
        memory_policy=str(info.get("maxmemory_policy", "unknown")),
        used_bytes=int(info.get("used_memory", 0)),
        most_bytes=int(info.get("maxmemory", 0)),
    )
