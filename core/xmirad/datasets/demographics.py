"""Age and sex as data sets write them."""

import math

from xmirad.datasets.problems import Place, value_error
from xmirad.types import Sex

OLDEST_YEARS = 150
BAND_YEARS = 10
LAST_BAND = 90
SEXES = {"f": Sex.FEMALE, "female": Sex.FEMALE, "m": Sex.MALE, "male": Sex.MALE, "o": Sex.OTHER, "other": Sex.OTHER}


def parse_sex(text: str, place: Place, *, column: str = "sex") -> Sex:
    """Return the sex that a word means, in any case.

    Raises:
        InvalidRequestError: If it is none of F, M, O, female, male and other.
    """
    sex = SEXES.get(text.lower())
    if sex is None:
        raise value_error(place, column, value=text, allowed="F, M, O, female, male or other")
    return sex


def age_band(text: str, place: Place, *, column: str = "age") -> int:
    """Return the lower end of the ten-year band of an age in years: 0, 10, up to 90.

    Raises:
        InvalidRequestError: If it is no number from 0 to 150.
    """
    try:
        years = float(text)
    except ValueError:
        years = math.nan
    if not 0 <= years <= OLDEST_YEARS:
        raise value_error(place, column, value=text, allowed=f"a number of years from 0 to {OLDEST_YEARS}")
    return min(int(years) // BAND_YEARS * BAND_YEARS, LAST_BAND)
