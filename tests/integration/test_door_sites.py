"""Two sites in one service, and what scopes show: the site is the token's, whatever a request says."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from support.live_service import live_service
from support.pictures import png
from support.tokens import ASKED_FOR, create_token
from xmirad.access.caller import Scope
from xmirad.api.vocabulary import ItemView, SearchView
from xmirad.client import ActivationMethod, Client, Credentials, StreamedSearch, Upload
from xmirad.errors import (
    AccessDeniedError,
    ArchiveNotFoundError,
    ExplanationNotFoundError,
    InvalidRequestError,
    NotFoundError,
    XmiradError,
)
from xmirad.types import ItemAttributes, Patient

IMAGES = 12
QUERIES = 300


@dataclass(frozen=True, slots=True)
class Two:
    """Two sites with the same images, each in an archive of its own."""

    north: Client
    south: Client
    south_items: list[str]
    explanation: str
    reader: Client
    evaluator: Client


def filled(client: Client, archive: str) -> list[str]:
    client.create_archive(archive)
    uploads = (
        Upload(png(at), correlation_id=str(at), external_id=f"x{at}", patient=Patient("p")) for at in range(IMAGES)
    )
    receipts = [outcome.receipt for outcome in client.upload(archive, uploads)]
    return [receipt.item for receipt in receipts if receipt is not None]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("two")

    def made(name: str, *scopes: Scope, site: str) -> Credentials:
        return Credentials(token=create_token(folder / "home", name=name, scopes=scopes, site=site))

    everything = {name: made(name, *Scope, site=name) for name in ("north", "south")}
    reader = made("reader", Scope.READ, site="south")
    evaluator = made("evaluator", Scope.READ, Scope.EVALUATE, site="south")
    with live_service(folder / "home", **ASKED_FOR, XMIRAD_SITE="south") as service:
        service.credentials = everything["south"]
        with (
            service.start() as south,
            Client(service.address, credentials=everything["north"]) as north,
            Client(service.address, credentials=reader) as read,
            Client(service.address, credentials=evaluator) as evaluate,
        ):
            items = filled(south, "southern")
            filled(north, "northern")
            asked = south.create_explanation(items[0], items[1], method=ActivationMethod())
            yield Two(north, south, items, asked.name, read, evaluate)


def everything_about_the_south(two: Two) -> dict[str, Callable[[], object]]:
    north, item = two.north, two.south_items[0]
    return {
        "get archive": lambda: north.get_archive("southern"),
        "stats": lambda: north.archive_stats("southern"),
        "delete archive": lambda: north.delete_archive("southern", force=True),
        "search by image": lambda: north.search("southern", png(1)),
        "search by item": lambda: north.search("southern", item),
        "get item": lambda: north.get_item(item),
        "list items": lambda: list(north.list_items("southern")),
        "get many": lambda: north.batch_get_items("southern", [item]),
        "delete item": lambda: north.delete_item(item),
        "purge": lambda: north.purge_items("southern", patient=Patient("p"), force=True),
        "picture": lambda: north.item_image(item),
        "upload": lambda: north.create_item("southern", Upload(png(99), correlation_id="u")),
        "warm": lambda: north.warm("southern"),
        "explain": lambda: north.create_explanation(item, item, method=ActivationMethod()),
        "get explanation": lambda: north.explanation(two.explanation),
        "watch": lambda: list(north.watch_explanation(two.explanation)),
        "cancel": lambda: north.cancel_explanation(two.explanation),
        "delete explanation": lambda: north.delete_explanation(two.explanation),
    }


def test_nothing_of_another_site_is_there(two: Two) -> None:
    answers: dict[str, str] = {}
    for name, ask in everything_about_the_south(two).items():
        try:
            answers[name] = f"answered: {ask()}"
        except NotFoundError as error:
            answers[name] = type(error).__name__
        except XmiradError as error:
            answers[name] = error.reason
    assert set(answers.values()) <= {"ArchiveNotFoundError", "ExplanationNotFoundError"}, answers
    assert len(list(two.south.list_items("southern"))) == IMAGES
    assert two.south.explanation(two.explanation).name == two.explanation


def test_another_sites_archive_and_none_at_all_are_told_in_the_same_words(two: Two) -> None:
    said = set()
    for archive in ("southern", "nowhere1"):
        with pytest.raises(ArchiveNotFoundError) as caught:
            two.north.get_archive(archive)
        said.add(caught.value.message.replace(archive, "X"))
    for name in (two.explanation, "explanations/" + "0" * 64):
        with pytest.raises(ExplanationNotFoundError) as lost:
            two.north.explanation(name)
        said.add(lost.value.message)
    assert len(said) == 2


def test_lists_hold_what_is_ones_own(two: Two) -> None:
    assert [archive.archive for archive in two.north.list_archives()] == ["northern"]
    assert [archive.archive for archive in two.south.list_archives()] == ["southern"]
    assert list(two.north.explanations()) == []
    assert [each.name for each in two.south.explanations()] == [two.explanation]


def test_hundreds_of_searches_find_nothing_foreign(two: Two) -> None:
    generator = np.random.default_rng(11)
    for _ in range(QUERIES):
        vector = generator.normal(size=1280).astype(np.float32)
        found = two.north.search("northern", vector, top_k=IMAGES).results
        assert len(found) == IMAGES
        assert all(result.item.startswith("archives/northern/") for result in found)


def test_archives_of_one_name_at_two_sites_know_nothing_of_each_other(two: Two) -> None:
    stored = {}
    for site, client in enumerate((two.north, two.south)):
        client.create_archive("shared")
        attributes = ItemAttributes(labels=(f"site-{site}",))
        upload = Upload(png(900 + site), external_id="image", attributes=attributes)
        stored[client] = client.create_item("shared", upload).item
    assert len(set(stored.values())) == 1  # ids follow from names, and are looked for at the caller's site only
    for site, (client, item) in enumerate(stored.items()):
        assert client.get_item(item).attributes.labels == (f"site-{site}",)
        assert [found.item for found in client.search("shared", png(900), top_k=5).results] == [item]
    two.north.delete_archive("shared", force=True)
    assert two.south.get_archive("shared").item_count == 1
    with pytest.raises(ArchiveNotFoundError):
        two.north.get_archive("shared")
    two.south.delete_archive("shared", force=True)


def test_identifiers_pictures_and_vectors_take_scopes_of_their_own(two: Two) -> None:
    reader, item = two.reader, two.south_items[0]
    assert reader.search("southern", item).results
    assert reader.get_item(item).name == item
    asked: dict[str, Callable[[], object]] = {
        "identity": lambda: reader.search("southern", item, view=SearchView.FULL),
        "explain": lambda: reader.search("southern", item, explain_top=1),
        "identity ": lambda: reader.get_item(item, view=ItemView.FULL),
        "embedding identity": lambda: reader.get_item(item, view=ItemView.EMBEDDING),
        "identity  ": lambda: reader.item_image(item),
        "embedding": lambda: reader.search("southern", np.ones(1280, np.float32)),
        "admin": lambda: reader.delete_item(item),
    }
    for scopes, ask in asked.items():
        with pytest.raises(AccessDeniedError) as caught:
            ask()
        assert caught.value.metadata["scope"] == scopes.strip()
    with pytest.raises(AccessDeniedError):
        list(reader.list_items("southern", view=ItemView.EMBEDDING))


def test_an_embedding_is_left_out_without_its_scope(two: Two) -> None:
    assert two.reader.embed_image(png(1)).embedding.size == 0
    assert two.south.embed_image(png(1)).embedding.size == 1280


def test_a_stream_answers_a_search_that_asks_too_much_and_goes_on(two: Two) -> None:
    item = two.south_items[0]
    searches = [
        StreamedSearch("full", item, view=SearchView.FULL),
        StreamedSearch("vector", np.ones(1280, np.float32)),
        StreamedSearch("basic", item),
    ]
    outcomes = {outcome.correlation_id: outcome for outcome in two.reader.stream_search("southern", searches)}
    assert isinstance(outcomes["full"].error, AccessDeniedError)
    assert isinstance(outcomes["vector"].error, AccessDeniedError)
    assert outcomes["basic"].response is not None


def test_long_rankings_are_for_evaluation(two: Two) -> None:
    item = two.south_items[0]
    assert two.reader.server_info().max_ranking_top_k == 1_000
    assert two.evaluator.server_info().max_ranking_top_k == 100_000
    with pytest.raises(InvalidRequestError, match="1000") as caught:
        two.reader.search("southern", item, top_k=1_001, view=SearchView.RANKING)
    assert caught.value.field == "top_k"
    assert two.evaluator.search("southern", item, top_k=100_000, view=SearchView.RANKING).searched_items == IMAGES
