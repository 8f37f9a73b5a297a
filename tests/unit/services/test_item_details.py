"""Pictures of items whose model input is damaged."""

from pathlib import Path

from support.catalogs import location_of
from support.indexing import incoming, workshop
from xmirad.imaging.preprocessing import IMAGENET
from xmirad_services.retrieval.item_details import ItemDetails


async def test_a_damaged_model_input_costs_a_result_its_thumbnail_only(tmp_path: Path) -> None:
    with workshop(tmp_path) as shop:
        stored = await shop.runner().store(incoming())
        shop.store.put(location_of(shop.tools.catalog, stored.image, IMAGENET.digest), b"garbage")
        (detail,) = await ItemDetails(shop.tools).of(shop.record, [stored.item])
        assert detail is not None
        assert (detail.record.item, detail.thumbnail) == (stored.item, b"")
