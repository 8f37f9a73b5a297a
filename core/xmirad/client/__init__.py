"""The typed SDK: `Client`, and the values that it takes (here) and returns (`types`, `search_types`).

Imports with the base install alone. Building requests (`requests`) and reading answers (`parsing`) know no transport,
so that another transport can share them; `connection`, `exchange` and `client` are the synchronous one.
"""

from xmirad.api.vocabulary import ItemView, SearchView
from xmirad.client.client import Client
from xmirad.client.search_types import StreamedSearch
from xmirad.client.types import Upload

__all__ = ["Client", "ItemView", "SearchView", "StreamedSearch", "Upload"]
