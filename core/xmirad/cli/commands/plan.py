"""`xmirad plan`: says what an archive will cost before it is there."""

from typing import TYPE_CHECKING, Annotated

import typer

from xmirad.cli import options
from xmirad.cli.output import Output
from xmirad.planning.request import GIB, ImageFormat, PlanRequest
from xmirad.saliency.codec import Codec
from xmirad.saliency.lattice import STRIDE, WINDOW
from xmirad.types import EdgeIndex

if TYPE_CHECKING:
    from xmirad.planning.plan import Plan

EXAMPLES = """\b
xmirad plan --images 1000000 --index int8 --images-per-day 3000 --searches-per-second 2
xmirad plan --images 100000 --original-bytes 8000000 --warm-share 0.1 --explanations-per-day 500 --json"""
MEGABYTE = 1e6


def plan(
    images: Annotated[int, typer.Option(help="Images in the archive.", min=1)],
    embedding_size: Annotated[
        int,
        typer.Option(help="Components of an embedding: 1280 (EfficientNet-Lite0), 1024 (DenseNet-121), or a head's."),
    ] = 1280,
    forward_ms: Annotated[
        float | None, typer.Option(help="Milliseconds of a forward pass on one core. Default: the default model's.")
    ] = None,
    index: Annotated[EdgeIndex, typer.Option(help="Index of the archive.")] = EdgeIndex.FLAT,
    image_format: Annotated[
        ImageFormat, typer.Option(help="What is decoded: 256 px JPEG, 1024 px PNG or 3000 px 16-bit DICOM.")
    ] = ImageFormat.DICOM,
    original_bytes: Annotated[float, typer.Option(help="Bytes kept of each original; 0: referred to, not kept.")] = 0.0,
    warm_share: Annotated[float, typer.Option(help="Share of the images with a full occlusion cache, 0 to 1.")] = 0.0,
    codec: Annotated[Codec, typer.Option(help="Codec of the occlusion cache.")] = Codec.INT8,
    window: Annotated[int, typer.Option(help="Side of an occluding window, pixels.")] = WINDOW,
    stride: Annotated[int, typer.Option(help="Distance of the windows, pixels.")] = STRIDE,
    images_per_day: Annotated[float, typer.Option(help="Images to store a day.")] = 0.0,
    searches_per_second: Annotated[float, typer.Option(help="Searches by image at the peak.")] = 1.0,
    explanations_per_day: Annotated[float, typer.Option(help="Occlusion maps asked for a day.")] = 0.0,
    node_memory: Annotated[float, typer.Option(help="Memory of a node, GiB.")] = 64.0,
    node_disk: Annotated[float, typer.Option(help="Disk of a node, GiB.")] = 4096.0,
    node_cores: Annotated[int, typer.Option(help="Cores of a node.")] = 16,
    replicas: Annotated[int, typer.Option(help="Copies of the vector store.")] = 1,
    as_json: options.Json = False,
) -> None:
    """Say what an archive will cost: memory, disk, nodes, workers, hours, and what drives them."""
    from xmirad.planning.plan import make_plan

    request = PlanRequest(
        images=images,
        embedding_size=embedding_size,
        forward_ms=forward_ms,
        index=index,
        image_format=image_format,
        original_bytes=original_bytes,
        warm_share=warm_share,
        codec=codec,
        window=window,
        stride=stride,
        images_per_day=images_per_day,
        searches_per_second=searches_per_second,
        explanations_per_day=explanations_per_day,
        node_memory_bytes=node_memory * GIB,
        node_disk_bytes=node_disk * GIB,
        node_cores=node_cores,
        replicas=replicas,
    )
    made = make_plan(request)
    output = Output(as_json)
    output.json(made)
    _show(output, made)


def _show(output: Output, plan: "Plan") -> None:
    request = plan.request
    output.text(f"{request.images:,} images, {request.embedding_size} components, {request.index} index")
    for title, parts in (("memory", plan.memory_bytes), ("disk", plan.disk_bytes)):
        output.text()
        output.text(f"{title}: {sum(parts.values()) / MEGABYTE:,.0f} MB")
        output.table(["part", ">MB"], [(name, f"{amount / MEGABYTE:,.0f}") for name, amount in parts.items() if amount])
    output.text()
    output.table(["what", ">amount"], _figures(plan))
    output.text()
    output.text("what drives the cost, as nodes of the given size")
    output.table(
        ["driver", "resource", ">nodes"], [(one.name, one.resource, f"{one.nodes:.3f}") for one in plan.drivers]
    )
    for note in plan.notes:
        output.note(note)


def _figures(plan: "Plan") -> list[tuple[str, str]]:
    return [
        ("nodes", str(plan.nodes)),
        ("explainers (processes of one thread)", str(plan.explainers)),
        ("cores for searches at the peak", f"{plan.search_cores:.2f}"),
        ("cores for new images, all day", f"{plan.indexing_cores:.2f}"),
        ("hours a day of one core for new images", f"{plan.index_hours_per_day:.2f}"),
        ("hours to store all images, all cores", f"{plan.index_hours:.2f}"),
        ("hours to rebuild the vector store, one core", f"{plan.build_hours:.2f}"),
        ("CPU ms of a search by image", f"{plan.search_ms:.1f}"),
        ("of these in the vector store", f"{plan.store_ms:.1f}"),
        ("of these in gRPC, event loop and sandbox", f"{plan.call_ms:.1f}"),
        ("CPU seconds of a cold occlusion map", f"{plan.cold_map_seconds:.1f}"),
    ]
