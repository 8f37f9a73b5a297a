"""One spelling for every class, whatever a version of a data set calls it."""

import re

COVIDX_CLASSES = {
    "normal": "normal",
    "pneumonia": "pneumonia",
    "covid": "COVID-19",
    "covid19": "COVID-19",
    "positive": "COVID-19",  # the two-class versions: COVIDx CXR-2 and later
    "negative": "negative",
}
COVIDX_SPELLINGS = "normal, pneumonia, COVID-19, positive or negative"


def covidx_class(text: str) -> str | None:
    """Return the class that a COVIDx label means, in any version's spelling and case, or None if it is none."""
    return COVIDX_CLASSES.get(re.sub(r"[-_]", "", text).lower())
