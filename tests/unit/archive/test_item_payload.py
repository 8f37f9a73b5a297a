from dataclasses import fields, replace

import pytest

from xmirad.archive.conditions import PayloadField
from xmirad.archive.payload import facet_text, from_flat, to_flat
from xmirad.archive.port import ItemPayload
from xmirad.errors import EmbeddingCorruptError
from xmirad.types import ItemAttributes, Sex

FULL = ItemPayload(
    site="local",
    image_digest="i" * 64,
    attributes=ItemAttributes(
        labels=("肺炎", "covid"),
        dataset="covidx",
        split="test",
        source="cohen",
        modality="DX",
        body_part="CHEST",
        view_position="PA",
        year=0,
        sex=Sex.FEMALE,
        age_band=0,
        synthetic=True,
    ),
    patient="p" * 32,
    patient_known=True,
)
BARE = ItemPayload("local", "i" * 64, ItemAttributes(), "p", patient_known=False)


@pytest.mark.parametrize("payload", [FULL, BARE])
def test_a_payload_comes_back_as_it_was(payload: ItemPayload) -> None:
    assert from_flat("item", to_flat(payload)) == payload


def test_what_is_stored_is_the_allow_list_and_nothing_else() -> None:
    assert set(to_flat(FULL)) == {field.value for field in PayloadField}
    assert set(to_flat(BARE)) == {"site", "image_digest", "patient", "patient_known", "synthetic"}


def test_every_attribute_is_stored() -> None:
    """An attribute that is added to the vocabulary must not be dropped in silence."""
    stored = {field.value for field in PayloadField}
    assert {attribute.name for attribute in fields(ItemAttributes)} <= stored


@pytest.mark.parametrize("field", ["site", "image_digest", "patient", "patient_known"])
def test_a_stored_item_without_what_every_item_has_is_corrupt(field: str) -> None:
    flat = to_flat(FULL)
    del flat[field]
    with pytest.raises(EmbeddingCorruptError) as caught:
        from_flat("an-item", flat)
    assert caught.value.metadata == {"item": "an-item"}


@pytest.mark.parametrize("flat", [None, {}, to_flat(FULL) | {"patient": ""}, to_flat(FULL) | {"sex": "X"}])
def test_a_stored_item_that_makes_no_sense_is_corrupt(flat: dict[str, object] | None) -> None:
    with pytest.raises(EmbeddingCorruptError):
        from_flat("an-item", flat)


def test_an_item_without_site_or_patient_key_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="site and a patient"):
        replace(FULL, site="")
    with pytest.raises(ValueError, match="site and a patient"):
        replace(FULL, patient="")


def test_facet_values_are_text() -> None:
    assert [facet_text(value) for value in ("a", 2001, True, False)] == ["a", "2001", "true", "false"]
