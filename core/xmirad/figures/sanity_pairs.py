"""The pairs of images whose maps `sanity` compares: drawn queries, each with its first result."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xmirad.client.explanation_types import ExplanationMap, Method
from xmirad.evaluation.map_asking import Pair
from xmirad.evaluation.report_parts import Failure
from xmirad.evaluation.sampling import drawn
from xmirad.evaluation.truth import truth_of
from xmirad.figures.catalog import METHODS
from xmirad.figures.grid import pair_across
from xmirad.figures.maps import MapOutcome, WantedMap
from xmirad.figures.options import FiguresOptions
from xmirad.figures.ranking import RankedItem
from xmirad.figures.sanity import MapPair, compared
from xmirad.figures.sanity_figure import SanityCheck
from xmirad.figures.subject import Subject


@dataclass(frozen=True, slots=True, eq=False)
class SanityPlan:
    """Which maps are compared.

    Attributes:
        subject: The archive of the evaluated model.
        control: That of random weights.
        couples: The same two images as pairs of both archives; the second is None where the control has not both.
        methods: The methods by name.
        seed: That of the draw.
    """

    subject: Subject
    control: Subject
    couples: tuple[tuple[Pair, Pair | None], ...]
    methods: Mapping[str, Method]
    seed: int

    def wanted(self) -> Iterator[WantedMap]:
        """Yield every map, those of one method after the other."""
        for method in self.methods.values():
            for couple in self.couples:
                yield from (WantedMap(pair, method) for pair in couple if pair is not None)

    def checked(self, maps: Mapping[WantedMap, MapOutcome]) -> SanityCheck:
        """Compare the maps."""
        pairs = {name: self._map_pairs(method, maps) for name, method in self.methods.items()}
        return SanityCheck(
            subject=self.subject,
            control=self.control,
            methods={name: compared(each, seed=self.seed) for name, each in pairs.items()},
            pairs={name: len(each) for name, each in pairs.items()},
            wanted=len(self.couples),
            failures=tuple(each for each in maps.values() if isinstance(each, Failure)),
            seed=self.seed,
        )

    def _map_pairs(self, method: Method, maps: Mapping[WantedMap, MapOutcome]) -> list[MapPair]:
        both = []
        for one, other in self.couples:
            trained = maps[WantedMap(one, method)]
            random = None if other is None else maps[WantedMap(other, method)]
            if isinstance(trained, ExplanationMap) and isinstance(random, ExplanationMap):
                both.append(MapPair(one.result_item, trained, random))
        return both


def sanity_plan(
    subject: Subject, control: Subject, ranked: Mapping[int, RankedItem], options: FiguresOptions
) -> SanityPlan:
    """Draw queries of each class as the evaluation of maps draws them, so that its maps are found again.

    Args:
        subject: The archive of the evaluated model.
        control: That of random weights.
        ranked: The first results by query.
        options: How many, and how they are explained.
    """
    indices = subject.archive.indices
    sample = drawn(
        truth_of(subject.items),
        sorted(ranked),
        indices=indices,
        per_class=options.pairs_per_class,
        seed=options.seed,
    )
    chosen = [ranked[query] for query in sorted(ranked) if indices[query] in sample.queries]
    couples = []
    for each in chosen:
        own = pair_across(subject, subject, each.query, each.results[0])
        if own is not None:
            couples.append((own, pair_across(subject, control, each.query, each.results[0])))
    return SanityPlan(
        subject=subject,
        control=control,
        couples=tuple(couples),
        methods={str(name): options.method(name) for name in METHODS},
        seed=options.seed,
    )
