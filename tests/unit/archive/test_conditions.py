import pytest

from xmirad.archive.conditions import (
    BOOLEAN_FIELDS,
    INTEGER_FIELDS,
    KEYWORD_FIELDS,
    AnyOf,
    Between,
    PayloadField,
)


def test_every_field_is_of_exactly_one_kind() -> None:
    kinds = [KEYWORD_FIELDS, INTEGER_FIELDS, BOOLEAN_FIELDS]
    assert all(sum(field in kind for kind in kinds) == 1 for field in PayloadField)


@pytest.mark.parametrize("field", sorted(INTEGER_FIELDS | BOOLEAN_FIELDS))
def test_only_keywords_are_compared_by_value(field: PayloadField) -> None:
    with pytest.raises(ValueError, match=field):
        AnyOf(field, ("1",))


@pytest.mark.parametrize("field", sorted(KEYWORD_FIELDS | BOOLEAN_FIELDS))
def test_only_integers_have_ranges(field: PayloadField) -> None:
    with pytest.raises(ValueError, match=field):
        Between(field, 1, 2)
