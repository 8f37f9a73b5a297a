"""Records survive the way to JSON and back, and refuse what is none."""

import json

import pytest

from support.records import archive_record, item_record
from xmirad.catalog.records import Identity, RecordCorruptError, decode_archive, decode_item, encode
from xmirad.types import ItemAttributes, OriginalsPolicy, Sex


def test_an_archive_record_comes_back_equal() -> None:
    record = archive_record(originals=OriginalsPolicy.REFERENCE)
    assert decode_archive(encode(record)) == record


@pytest.mark.parametrize(
    "attributes",
    [
        ItemAttributes(),
        ItemAttributes(labels=("a", "Ω"), sex=Sex.FEMALE, year=2020, age_band=0, synthetic=True, modality="DX"),
    ],
)
def test_an_item_record_comes_back_equal(attributes: ItemAttributes) -> None:
    record = item_record(attributes=attributes, identity=Identity("x", "1.2", "1.2.3", "1.2.3.4", 7))
    assert decode_item(encode(record)) == record


@pytest.mark.parametrize("damage", ["truncate", "schema", "missing", "extra", "empty"])
def test_a_damaged_record_is_refused(damage: str) -> None:
    data = encode(item_record())
    values = json.loads(data)
    if damage == "schema":
        values["schema"] = 99
    if damage == "missing":
        del values["image"]
    if damage == "extra":
        values["surprise"] = 1
    damaged = {"truncate": data[:-5], "empty": b""}.get(damage, json.dumps(values).encode())
    with pytest.raises(RecordCorruptError):
        decode_item(damaged)


def test_records_say_the_same_whatever_their_revision_and_time() -> None:
    record = item_record()
    assert record.says_the_same(item_record(revision=3, create_time=9.0))
    assert not record.says_the_same(item_record(attributes=ItemAttributes(labels=("pneumonia",))))
