"""The typed SDK: `Client`, and the values that it takes (here) and returns (`types` and its siblings).

Imports with the base install alone. Building requests (`requests`), reading answers (`parsing`) and the calls made of
both (`calls`) know no transport; `connection`, `exchange`, `watching` and `client` are the synchronous one.
"""

from xmirad.api.vocabulary import ExplanationPriority, ItemView, SearchView
from xmirad.client.client import Client
from xmirad.client.credentials import Credentials
from xmirad.client.explanation_types import ActivationMethod, AttentionMethod, OcclusionMethod
from xmirad.client.search_types import Feedback, StreamedSearch
from xmirad.client.types import Upload

__all__ = [
    "ActivationMethod",
    "AttentionMethod",
    "Client",
    "Credentials",
    "ExplanationPriority",
    "Feedback",
    "ItemView",
    "OcclusionMethod",
    "SearchView",
    "StreamedSearch",
    "Upload",
]
