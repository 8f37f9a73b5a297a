"""The table of docs/architecture/03-images.md: a row for everything that is decoded, and none for anything else."""

import re
from pathlib import Path

from xmirad.api.images import RASTER_TYPES
from xmirad.imaging.dicom.syntaxes import DECODERS, NATIVE
from xmirad.imaging.raster import MEDIA_TYPES

PAGE = Path(__file__).parents[2] / "docs/architecture/03-images.md"


def rows(first_column: str) -> list[list[str]]:
    """Return the cells of all rows of the table with that first column."""
    lines = PAGE.read_text().splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith(f"| {first_column} |"))
    table = []
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def test_every_media_type_that_requests_may_name_is_decoded_and_has_a_row() -> None:
    documented = {re.sub("`", "", cells[0]) for cells in rows("Media type")}
    assert documented == set(MEDIA_TYPES) == set(RASTER_TYPES)


def test_every_transfer_syntax_has_a_row_with_its_decoders_in_order() -> None:
    documented = {cells[1]: cells[2] for cells in rows("Transfer syntax")}
    expected = dict.fromkeys(NATIVE, "pydicom (NumPy)") | {uid: ", ".join(names) for uid, names in DECODERS.items()}
    assert documented == expected
