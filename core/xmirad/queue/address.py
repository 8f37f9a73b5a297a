"""Where the queue of a home is: a server of one's own, or the one that `xmirad up` runs."""

import json

from xmirad.home import PRIVATE_FILE, Home
from xmirad.settings import Settings


def queue_url(settings: Settings) -> str | None:
    """Return the URL of the queue's server, or None if there is none."""
    if settings.queue.url is not None:
        return settings.queue.url.get_secret_value()
    return announced_url(Home(settings.home))


def announced_url(home: Home) -> str | None:
    """Return the URL of the server that a home's supervisor runs or has run last, or None."""
    try:
        url = json.loads(home.queue_file.read_text("utf-8"))["url"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return str(url)


def announce_queue(home: Home, url: str) -> None:
    """Tell the processes of a home where its queue is."""
    temporary = home.queue_file.with_suffix(".tmp")
    temporary.write_text(json.dumps({"url": url}), "utf-8")
    temporary.chmod(PRIVATE_FILE)
    temporary.replace(home.queue_file)
