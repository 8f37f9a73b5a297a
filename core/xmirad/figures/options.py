"""What is drawn, and how."""

from dataclasses import dataclass, field

from xmirad.client.explanation_types import ActivationMethod, AttentionMethod, Method, OcclusionMethod
from xmirad.evaluation.options import SaliencyOptions
from xmirad.types import MethodName

PAIRS_PER_CLASS = 4


@dataclass(frozen=True, slots=True)
class FiguresOptions:
    """What is drawn, and how.

    Attributes:
        only: Names of figures or of kinds of figures; none: all that can be drawn.
        model: Model by short name or digest; empty means the service's default.
        control: Model of random weights, by short name or digest; empty: none, and no figure that needs one.
        queries: Identifiers or names of files to show in the grids, in their order; none: they are drawn by the seed.
        results: How many results of a query a grid shows.
        occlusion: How images are occluded.
        pairs_per_class: How many queries of each class `sanity` compares, each with its first result.
        thumbnails: Whether `tsne` shows the starred images beside the plot.
        max_points: At most so many images are in `tsne`; of more, as many are drawn by the seed.
        seed: Equal seeds give equal figures.
        maps: How maps are asked for.
    """

    only: tuple[str, ...] = ()
    model: str = ""
    control: str = ""
    queries: tuple[str, ...] = ()
    results: int = 3
    occlusion: OcclusionMethod = field(default_factory=OcclusionMethod)
    pairs_per_class: int = PAIRS_PER_CLASS
    thumbnails: bool = False
    max_points: int = 3_000
    seed: int = 0
    maps: SaliencyOptions = field(default_factory=SaliencyOptions)

    def method(self, name: MethodName) -> Method:
        """Return a method with its parameters."""
        methods: dict[MethodName, Method] = {
            MethodName.OCCLUSION: self.occlusion,
            MethodName.ATTENTION: AttentionMethod(),
            MethodName.ACTIVATION: ActivationMethod(),
        }
        return methods[name]
