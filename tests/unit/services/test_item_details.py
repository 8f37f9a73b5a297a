"""What answers show of items beside their payload."""

from pathlib import Path

from support.catalogs import location_of
from support.indexing import incoming, workshop
from support.plans import statements_of
from xmirad.imaging.preprocessing import IMAGENET
from xmirad_services.retrieval.item_details import ItemDetails


async def test_a_damaged_model_input_costs_a_result_its_thumbnail_only(tmp_path: Path) -> None:
    with workshop(tmp_path) as shop:
        stored = await shop.runner().store(incoming())
        shop.store.put(location_of(shop.tools.catalog, stored.image, IMAGENET.digest), b"garbage")
        (detail,) = await ItemDetails(shop.tools).of(shop.record, [stored.item])
        assert detail is not None
        assert (detail.record.item, detail.thumbnail) == (stored.item, b"")


async def test_the_pictures_of_many_items_are_looked_for_in_one_statement(tmp_path: Path) -> None:
    with workshop(tmp_path) as shop:
        runner = shop.runner()
        stored = [await runner.store(incoming(bytes([number]), external_id=str(number))) for number in range(5)]
        with statements_of(shop.tools.catalog.database) as statements:
            found = await ItemDetails(shop.tools).of(shop.record, [each.item for each in stored])
        assert [detail is not None and bool(detail.thumbnail) for detail in found] == [True] * 5
        assert sum("FROM blobs" in statement for statement, _ in statements) == 1
