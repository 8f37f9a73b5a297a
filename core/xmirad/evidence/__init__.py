"""What the nearest items say of a query: which labels, how surely, and whether the archive knows such images at all.

numpy only; nothing here knows of archives or services. "Neighbors" are the items nearest to a query, best first,
without the query's own item and without items of its patient, who resemble it whatever they show.
"""

from xmirad.evidence.distances import distance_threshold, distance_to_nearest
from xmirad.evidence.fitting import fit_vote
from xmirad.evidence.voting import Vote, label_confidences

__all__ = ["Vote", "distance_threshold", "distance_to_nearest", "fit_vote", "label_confidences"]
