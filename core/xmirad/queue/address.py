"""Where the queue of a home is: a server of one's own, or the one that `xmirad up` runs."""

import json
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from xmirad.errors import InvalidRequestError
from xmirad.home import PRIVATE_FILE, Home
from xmirad.secret_files import read_file, read_secret
from xmirad.settings import QueueSettings, Settings

TLS = "rediss"


def queue_url(settings: Settings) -> str | None:
    """Return the URL of the queue's server with everything that connecting takes, or None if there is none.

    It may hold a password: show it to nobody.

    Raises:
        InvalidRequestError: If a file of the queue's settings cannot be used, or does not go with the URL.
    """
    if settings.queue.url is not None:
        return _completed(settings.queue.url.get_secret_value(), settings.queue)
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


def _completed(url: str, settings: QueueSettings) -> str:
    """Add password and certificates: as parts of the URL, Celery and redis understand them alike."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if settings.password_file is not None:
        if parts.password:
            raise _refused("queue.password_file", "queue.url holds a password already")
        password = quote(read_secret(settings.password_file, setting="queue.password_file"), safe="")
        host = parts.netloc.rpartition("@")[2]
        parts = parts._replace(netloc=f"{parts.username or ''}:{password}@{host}")
    if settings.ca_file is not None:
        if parts.scheme != TLS:
            raise _refused("queue.ca_file", "queue.url must begin with rediss:// for TLS")
        read_file(settings.ca_file, setting="queue.ca_file")
        query["ssl_ca_certs"] = str(settings.ca_file)
    if parts.scheme == TLS:
        query["ssl_cert_reqs"] = "required"  # what else the URL may say is no TLS worth its name
    # Not `geturl`, which takes two of the three slashes of unix:///path away.
    return f"{parts.scheme}://{parts.netloc}{parts.path}{'?' if query else ''}{urlencode(query)}"


def _refused(setting: str, problem: str) -> InvalidRequestError:
    return InvalidRequestError(f"{setting} cannot be used: {problem}", field=setting)
