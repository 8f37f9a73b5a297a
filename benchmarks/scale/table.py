"""The figures of a run as lines of text."""

from benchmarks.scale.cells import Json

MEGABYTE = 1e6


def line(figures: Json) -> str:
    """Return one cell's most important figures."""
    name = f"{figures['items']:>9,} x {figures['embedding_size']:<4} {figures['index']:<5}"
    if "given_up" in figures:
        return f"{name} given up: {figures['given_up']}"
    built, asked = figures["built"], figures["asked"]
    plain = asked["answers"]["plain"]
    latency, after, before = plain["latency"], asked["after"], asked["before"]
    own, files = (after[kind] - before[kind] for kind in ("own", "files"))
    return (
        f"{name} build {built['upsert']['cpu'] + built['index']['cpu']:8.1f} CPU s"
        f"  disk {built['disk_bytes'] / MEGABYTE:6.0f} MB"
        f"  memory {own / MEGABYTE:6.0f} + {files / MEGABYTE:6.0f} MB mapped"
        f"  search {latency['p50']:7.2f} / {latency['p95']:7.2f} / {latency['p99']:7.2f} ms"
        f", CPU {latency['cpu_p50']:7.2f}"
        f"  recall {plain['recall']:.4f}"
    )


def to_text(document: Json) -> str:
    """Return all cells, and every kind of search of each."""
    lines = [line(figures) for figures in document["cells"]]
    for figures in document["cells"]:
        for name, answered in figures.get("asked", {}).get("answers", {}).items():
            cell = f"{figures['items']:>9,} x {figures['embedding_size']:<4} {figures['index']:<5}"
            latency = answered["latency"]
            lines.append(
                f"{cell} {name:<21} {answered['searched_share']:6.1%} of items  p50 {latency['p50']:7.2f}"
                f"  p95 {latency['p95']:7.2f}  CPU {latency['cpu_p50']:7.2f} ms  recall {answered['recall']:.4f}"
            )
    return "\n".join(lines)
