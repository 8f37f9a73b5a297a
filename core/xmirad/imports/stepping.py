"""What a worker does with a task of an import: a bounded number of images, then it lets others have their turn."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from xmirad.errors import (
    BackendUnavailableError,
    InvalidImageError,
    InvalidRequestError,
    ItemAlreadyExistsError,
    ItemDeletedError,
    OverloadedError,
    PayloadTooLargeError,
    UnsupportedImageError,
    XmiradError,
)
from xmirad.imports.files import read_inside, read_named
from xmirad.imports.listing import Listing, Listings
from xmirad.imports.records import ImportFailure, ImportPart, ImportPlan, ImportRequest, ImportSnapshot
from xmirad.imports.store import ImportStore
from xmirad.indexing.incoming import IncomingItem
from xmirad.types import EncodedImage, ImportState, UploadState

IN_FLIGHT = 8
LOOK_SECONDS = 1.0
TEMPORARY = (BackendUnavailableError, OverloadedError)
OF_THE_IMAGE = (
    InvalidImageError,
    UnsupportedImageError,
    PayloadTooLargeError,
    InvalidRequestError,
    ItemAlreadyExistsError,
    ItemDeletedError,
)
Put = Callable[[IncomingItem], Awaitable[UploadState]]
Opener = Callable[[ImportRequest], Awaitable[Put]]


@dataclass(slots=True)
class _Step:
    """What became of the images of one step, by number, and what else went wrong."""

    request: ImportRequest
    numbers: Iterator[int]
    outcomes: dict[int, UploadState | ImportFailure] = field(default_factory=dict)
    error: XmiradError | None = None
    is_stopped: bool = False
    began: float = field(default_factory=time.monotonic)
    looked: float = field(default_factory=time.monotonic)


class ImportSteps:
    """Does steps of imports. Belongs to one event loop and does one step at a time."""

    def __init__(
        self,
        store: ImportStore,
        listings: Listings,
        open_archive: Opener,
        *,
        begin_seconds: float,
        step_seconds: float,
        max_image_bytes: int,
    ) -> None:
        """Do steps of limited length.

        Args:
            store: The records of imports.
            listings: What is in the folders.
            open_archive: Returns what stores an image in an archive.
            begin_seconds: No image is begun later than this in a step.
            step_seconds: Images that are not written by then come first in the next step.
            max_image_bytes: Longest file that is read.
        """
        self._store = store
        self._listings = listings
        self._open_archive = open_archive
        self._begin_seconds = begin_seconds
        self._step_seconds = step_seconds
        self._max_image_bytes = max_image_bytes

    async def run(self, creation: str, number: int, segment: int | None) -> Sequence[int]:
        """Look into the folder, or go on with a segment; return with which segments to go on after it.

        Raises:
            ImportNotFoundError: If there is no such import any more.
            BackendUnavailableError: If a store fails; what is done is kept.
        """
        before = self._store.current(creation, number)
        if before.state.is_terminal:
            return ()
        try:
            after = await self._advance(before, segment)
        except TEMPORARY:
            raise
        except XmiradError as error:
            self._store.finish(before.request, ImportState.FAILED, error)
            return ()
        unfinished = after.unfinished()
        if not unfinished:
            self._store.finish(after.request, ImportState.SUCCEEDED)
        return unfinished if segment is None else [each for each in unfinished if each == segment]

    async def _advance(self, before: ImportSnapshot, segment: int | None) -> ImportSnapshot:
        request, listing = before.request, self._listings.of(before.request)
        plan = before.plan
        if plan is None:
            found = ImportPlan.of(
                len(listing.items), listing=listing.digest, warnings=listing.warnings, unreadable=listing.unreadable
            )
            plan = self._store.put_plan(request, found)
        if plan.listing != listing.digest:
            message = "the files in the folder are others than when the import began; import it again"
            raise InvalidRequestError(message, field="folder", metadata={"folder": request.folder})
        if segment is not None and before.plan is not None:
            step = await self._stored(before, listing, segment)
            done = list(_in_a_row(step, before.position(segment)))
            if done:
                self._store.put_part(request, ImportPart.of(segment, before.position(segment), done))
            if step.error is not None:
                raise step.error
        return self._store.current(request.creation, request.number)

    async def _stored(self, before: ImportSnapshot, listing: Listing, segment: int) -> _Step:
        put = await self._open_archive(before.request)
        end = before.plan.bounds(segment)[1] if before.plan else 0
        step = _Step(before.request, iter(range(before.position(segment), end)))
        try:
            async with asyncio.timeout(self._step_seconds):
                await asyncio.gather(*(self._work(step, listing, put) for _ in range(IN_FLIGHT)))
        except TimeoutError:
            pass  # the images that were under way come first in the next step
        return step

    async def _work(self, step: _Step, listing: Listing, put: Put) -> None:
        for number in step.numbers:
            try:
                incoming = await asyncio.to_thread(self._incoming, step.request, listing, number)
                step.outcomes[number] = await put(incoming)
            except OF_THE_IMAGE as error:
                step.outcomes[number] = ImportFailure(listing.path(number), error)
            except XmiradError as error:
                step.error = error
            is_late = time.monotonic() - step.began > self._begin_seconds
            if step.error is not None or is_late or self._is_stopped(step):
                return

    def _is_stopped(self, step: _Step) -> bool:
        """Look now and then whether the import was cancelled or has failed in another segment."""
        if time.monotonic() - step.looked > LOOK_SECONDS:
            step.looked = time.monotonic()
            step.is_stopped = self._store.is_finished(step.request)
        return step.is_stopped

    def _incoming(self, request: ImportRequest, listing: Listing, number: int) -> IncomingItem:
        item = listing.items[number]
        if request.path:
            data = read_named(item.path, limit=self._max_image_bytes)
        else:
            data = read_inside(item.path, listing.folder, limit=self._max_image_bytes)
        return IncomingItem(
            EncodedImage(data, frame=item.frame),
            item.external_id,
            item.attributes,
            item.patient,
            restore_deleted=request.restore_deleted,
            file_name=item.file_name,
        )


def _in_a_row(step: _Step, first: int) -> Iterator[UploadState | ImportFailure]:
    while (outcome := step.outcomes.get(first)) is not None:
        yield outcome
        first += 1
