"""A cache entry for tests that only talk of it."""

from xmirad.explanations.entries import OcclusionEntry
from xmirad.saliency.codec import Codec
from xmirad.saliency.masking import Fill

ENTRY = OcclusionEntry(
    site="local",
    image="ab" * 32,
    is_query=False,
    model="cd" * 32,
    preprocessing="ef" * 32,
    size=224,
    window=56,
    stride=28,
    fill=Fill.MEAN,
    codec=Codec.INT8,
)
