"""All figures of a data set: the archives filled, the maps asked for, one figure drawn after the other."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from xmirad.client.explanation_types import OcclusionMethod
from xmirad.datasets import Dataset
from xmirad.errors import AccessDeniedError, BackendUnavailableError, InvalidRequestError, XmiradError
from xmirad.evaluation.options import EvaluationOptions, Progress
from xmirad.evaluation.run import Run
from xmirad.evaluation.saliency import control_of, require_queue
from xmirad.evaluation.service import chosen_model
from xmirad.evaluation.uploading import fill_archive
from xmirad.figures.canvas import drawing_style
from xmirad.figures.catalog import (
    CONTROL,
    METHODS,
    SANITY,
    TSNE,
    grid_name,
    kind_of,
    needs_control,
    needs_maps,
    wanted,
)
from xmirad.figures.choosing import Panel, drawn_panels, named_panels, require_queries
from xmirad.figures.grid import Grid
from xmirad.figures.grid_figure import draw_grid
from xmirad.figures.index import DrawnFigure, FigureIndex, Omission, Outcome
from xmirad.figures.libraries import require_libraries
from xmirad.figures.maps import MapBook, WantedMap, failure_lines
from xmirad.figures.options import FiguresOptions
from xmirad.figures.pictures import Pictures
from xmirad.figures.ranking import RankedItem, first_results
from xmirad.figures.sanity_figure import draw_sanity
from xmirad.figures.sanity_pairs import SanityPlan, sanity_plan
from xmirad.figures.service import FiguresService
from xmirad.figures.subject import Subject, subject_of
from xmirad.figures.tsne_figure import draw_tsne
from xmirad.types import MethodName

_NOT_DRAWABLE = (InvalidRequestError, AccessDeniedError)


def draw_figures(
    service: FiguresService,
    dataset: Dataset,
    folder: Path,
    *,
    options: FiguresOptions,
    progress: Progress,
    tell: Callable[[str], None] = lambda _sentence: None,
) -> Iterator[Outcome]:
    """Draw figures of a data set into a folder, and yield each as it is done.

    Maps that are there already are not computed again, so that a run that was broken off goes on where it was.

    How many maps are asked for is told before the first of them, and how long they take after it.

    Raises:
        InvalidRequestError: If a figure or a query is unknown, a library is not installed, fewer than two images could
            be stored, or the control cannot stand beside the model.
        ModelNotFoundError: If the service has no such model or control.
        XmiradError: If the service refuses or breaks off. A figure that cannot be drawn of this data set or by this
            service is an outcome instead, and so is a single map within a figure.
    """
    names = wanted(options.only, has_control=bool(options.control))
    require_libraries(names)
    require_queries(dataset.items, options.queries)
    index = FigureIndex(folder)
    settings = EvaluationOptions(model=options.model, seed=options.seed)
    run = Run(
        service,
        dataset,
        model=chosen_model(service, options.model),
        options=settings,
        progress=progress,
        max_image_bytes=service.server_info().max_image_bytes,
    )
    control = control_of(run, options.control) if any(map(needs_control, names)) else None
    book = MapBook(service, options.maps, progress, tell=tell)
    drawing = _Drawing(service, subject_of(run, fill_archive(run)), control, options, folder, book)
    for outcome in drawing.outcomes(names):
        index.add(outcome)
        yield outcome


class _Drawing:
    """Draws the figures of one data set; what several of them need is made once, when the first one needs it."""

    def __init__(
        self,
        service: FiguresService,
        subject: Subject,
        control: Run | None,
        options: FiguresOptions,
        folder: Path,
        book: MapBook,
    ) -> None:
        self._service = service
        self._subject = subject
        self._control_run = control
        self._options = options
        self._folder = folder
        self._pictures = Pictures(service)
        self._book = book

    def outcomes(self, names: Sequence[str]) -> Iterator[Outcome]:
        """Yield what becomes of each figure.

        Those without maps come first, then occlusion: what the service computes of every map when it is there (its
        fidelity) goes before maps in the background, and there is much of it behind maps that cost nothing.
        """
        yield from (self._outcome(name) for name in names if not needs_maps(name))
        explained = [name for name in names if needs_maps(name)]
        lacking = self._why_no_maps() if explained else None
        if lacking is not None:
            yield from (Omission(name, lacking.reason, lacking.message) for name in explained)
            return
        self._plan(explained)
        self._book.announce()
        costly = [name for name in explained if name.endswith(MethodName.OCCLUSION)]
        yield from (self._outcome(name) for name in costly)
        if SANITY in explained:
            self._fetch_occlusion(SANITY)
        yield from (self._outcome(name) for name in explained if name not in costly)

    def _why_no_maps(self) -> XmiradError | None:
        try:
            require_queue(self._service)
        except BackendUnavailableError as error:
            return error
        return None

    def _plan(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                self._book.plan(self._wanted(name))
            except _NOT_DRAWABLE:
                continue  # said when the figure itself is tried

    def _fetch_occlusion(self, name: str) -> None:
        try:
            self._book.maps(each for each in self._wanted(name) if isinstance(each.method, OcclusionMethod))
        except _NOT_DRAWABLE:
            return  # said when the figure itself is tried

    def _wanted(self, name: str) -> Iterator[WantedMap]:
        return self._sanity.wanted() if name == SANITY else self._grid(name).all_wanted()

    def _outcome(self, name: str) -> Outcome:
        try:
            with drawing_style():
                drawn = self._drawn(name)
        except _NOT_DRAWABLE as error:
            return Omission(name, error.reason, error.message)
        lost = self._subject.archive.failures
        if not lost:
            return drawn
        note = f" Images that could not be stored and take no part: {len(lost)} (`left_out` in the details)."
        left_out = {"left_out": failure_lines(lost)}
        return replace(drawn, caption=drawn.caption + note, details=drawn.details | left_out)

    def _drawn(self, name: str) -> DrawnFigure:
        if name == TSNE:
            return draw_tsne(self._service, self._subject, self._options, self._folder)
        if name == SANITY:
            plan = self._sanity
            return draw_sanity(plan.checked(self._book.maps(plan.wanted())), self._folder)
        grid = self._grid(name)
        return draw_grid(grid, self._book.maps(grid.all_wanted()), self._pictures, self._folder)

    def _grid(self, name: str) -> Grid:
        kind = kind_of(name)
        method = next(method for method in METHODS if grid_name(kind, method) == name)
        explained = self._control if kind == CONTROL else self._subject
        return Grid(name, self._subject, explained, self._panels, self._options.method(method))

    @cached_property
    def _ranked(self) -> dict[int, RankedItem]:
        return first_results(self._subject, count=self._options.results)

    @cached_property
    def _panels(self) -> tuple[Panel, ...]:
        if self._options.queries:
            return named_panels(self._subject, self._ranked, self._options.queries)
        return drawn_panels(self._subject, self._ranked, seed=self._options.seed)

    @cached_property
    def _control(self) -> Subject:
        if self._control_run is None:
            raise InvalidRequestError("a model of random weights is needed", field="control")
        return subject_of(self._control_run, fill_archive(self._control_run))

    @cached_property
    def _sanity(self) -> SanityPlan:
        return sanity_plan(self._subject, self._control, self._ranked, self._options)
