"""The catalog's file: who may write it, where it may lie, and what is told when it fails."""

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pysqlite3 import dbapi2
from sqlalchemy import Connection, event

from support.catalogs import sqlite_catalog
from support.records import archive_record, item_record
from xmirad import composition
from xmirad.catalog import items, sqlite
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.database import Database
from xmirad.catalog.sqlite import _run_batch, _Waiting
from xmirad.errors import BackendUnavailableError, InvalidRequestError, RecordCorruptError
from xmirad.settings_sources import load_settings

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/with\\040blank rw - nfs4 server:/export rw
31 22 0:41 / /mnt/share rw - cifs //server/share rw
32 31 0:42 / /mnt/share/local rw - xfs /dev/sdb1 rw
"""


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    made = sqlite_catalog(tmp_path)
    made.create_archive(archive_record())
    yield made
    made.database.close()


def cause_of_writing(catalog: Catalog) -> str:
    with pytest.raises(BackendUnavailableError) as caught:
        catalog.put_item(item_record())
    return caught.value.metadata["cause"]


def set_on_connections(catalog: Catalog, pragma: str) -> None:
    """Let every further connection begin with a pragma."""
    engine = catalog.database._opened()
    engine.dispose()
    event.listen(engine, "connect", lambda connection, _: connection.execute(pragma))


@pytest.mark.parametrize(
    ("folder", "kind"), [("/mnt/with blank/home", "nfs4"), ("/mnt/share", "cifs")], ids=["nfs", "cifs"]
)
def test_a_network_file_system_is_refused(tmp_path: Path, folder: str, kind: str) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)
    with pytest.raises(InvalidRequestError) as caught:
        sqlite.check_file_system(Path(folder), tmp_path / "mountinfo")
    assert kind in caught.value.message
    assert caught.value.field == "catalog.url"


@pytest.mark.parametrize("folder", ["/home/somebody", "/mnt/share/local/home", "/mnt/sharex"])
def test_a_local_file_system_is_not(tmp_path: Path, folder: str) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)
    sqlite.check_file_system(Path(folder), tmp_path / "mountinfo")
    sqlite.check_file_system(Path(folder), tmp_path / "missing")


def test_an_old_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "OLDEST_VERSION", (99, 0, 0))
    with pytest.raises(BackendUnavailableError, match="too old"):
        sqlite_catalog(tmp_path).archives()


def test_a_commit_outlives_a_loss_of_power_and_deleted_rows_are_overwritten(catalog: Catalog, tmp_path: Path) -> None:
    def pragmas(connection: Any) -> list[Any]:  # noqa: ANN401
        names = ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

    assert catalog.database.read(pragmas) == ["wal", 2, 1, 1]
    record = item_record(patient="planted-patient-name")
    catalog.put_item(record)
    catalog.add_tombstones(archive_record(), [record.item])
    catalog.forget_items(archive_record(), [record.item])
    for file in tmp_path.iterdir():
        assert b"planted-patient-name" not in file.read_bytes(), file


def test_the_files_are_closed_to_other_users(catalog: Catalog, tmp_path: Path) -> None:
    catalog.put_item(item_record())
    assert {file.name: file.stat().st_mode & 0o077 for file in tmp_path.iterdir()} == dict.fromkeys(
        ("catalog.db", "catalog.db-wal", "catalog.db-shm", "catalog.db.lock"), 0
    )


def test_another_writer_is_waited_for_but_not_for_ever(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "LOCK_SECONDS", 0.05)
    descriptor = os.open(tmp_path / "catalog.db.lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert cause_of_writing(catalog) == "LOCKED"
    os.close(descriptor)
    assert catalog.put_item(item_record())


def test_a_full_disk_stores_nothing_and_is_told(catalog: Catalog) -> None:
    set_on_connections(catalog, "PRAGMA max_page_count = 1")
    big = item_record(patient="x" * 1_000_000)
    with pytest.raises(BackendUnavailableError) as caught:
        catalog.put_item(big)
    assert caught.value.metadata["cause"] == "DISK_FULL"
    assert "x" * 100 not in str(caught.value)
    assert not catalog.has_items(archive_record())
    assert catalog.put_item(item_record())


def test_a_file_that_cannot_be_written_is_told_and_can_still_be_read(catalog: Catalog) -> None:
    set_on_connections(catalog, "PRAGMA query_only = ON")
    assert cause_of_writing(catalog) == "READ_ONLY"
    assert catalog.archives() == [archive_record()]


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.EROFS, "READ_ONLY"),
        (errno.ENOSPC, "DISK_FULL"),
        (errno.EACCES, "NOT_READABLE"),
        (errno.EIO, "INPUT_OUTPUT"),
    ],
)
def test_a_lock_file_that_cannot_be_opened_is_told(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, number: int, cause: str
) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number), "catalog.db.lock")

    monkeypatch.setattr("os.open", fail)
    assert cause_of_writing(catalog) == cause


def test_a_folder_that_cannot_be_entered_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    catalog = sqlite_catalog(tmp_path)
    monkeypatch.setattr(Path, "exists", fail)
    for ask in (catalog.database.is_missing, catalog.archives):
        with pytest.raises(BackendUnavailableError) as caught:
            ask()
        assert caught.value.metadata["cause"] == "NOT_READABLE"


def test_an_error_that_ends_the_transaction_is_told_to_all_that_share_it(catalog: Catalog) -> None:
    error = BackendUnavailableError("full", metadata={"cause": "DISK_FULL"})

    def roll_back(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")  # as SQLite does where it cannot go on
        raise error

    works = [_Waiting(partial(items.put_item, record=item_record())), _Waiting(roll_back)]
    with catalog.database._opened().connect() as connection, pytest.raises(BackendUnavailableError) as caught:
        _run_batch(connection, works)
    assert caught.value is error
    assert not catalog.has_items(archive_record())


@pytest.mark.parametrize("remains", [True, False])
def test_a_file_that_is_replaced_or_removed_while_it_is_in_use_is_told(
    catalog: Catalog, tmp_path: Path, remains: bool
) -> None:
    file = tmp_path / "catalog.db"
    file.rename(tmp_path / "elsewhere")
    if remains:
        file.write_bytes(b"")
    assert cause_of_writing(catalog) == "REPLACED"


@pytest.mark.parametrize(
    ("damage", "cause"), [(b"not a database " * 600, "NOT_A_CATALOG"), (None, "DAMAGED")], ids=["foreign", "damaged"]
)
def test_a_damaged_file_is_told(catalog: Catalog, tmp_path: Path, damage: bytes | None, cause: str) -> None:
    for number in range(20):
        catalog.put_item(item_record(number))
    catalog.database.compact()
    catalog.database.close()
    file = tmp_path / "catalog.db"
    content = file.read_bytes()
    file.write_bytes(damage or content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(BackendUnavailableError) as caught:
        sqlite_catalog(tmp_path, create=False).archives()
    assert caught.value.metadata["cause"] == cause
    assert "backup" in caught.value.message


def test_a_flipped_bit_in_a_document_costs_its_own_item_only(catalog: Catalog) -> None:
    broken, whole = item_record(0, patient="planted"), item_record(1)
    for record in (broken, whole):
        catalog.put_item(record)
    flipped = "UPDATE items SET document = CAST(replace(CAST(document AS BLOB), 'planted', x'f0') AS TEXT)"
    catalog.database.write(lambda connection: connection.exec_driver_sql(f"{flipped} WHERE item = '{broken.item}'"))
    errors: list[RecordCorruptError] = []
    assert list(catalog.items(archive_record(), on_corrupt=errors.append)) == [whole]
    assert [items.corrupt_item(error) for error in errors] == [broken.item]


@pytest.mark.parametrize("create", [True, False])
def test_the_file_of_another_program_is_refused_and_not_changed(tmp_path: Path, create: bool) -> None:
    file = tmp_path / "catalog.db"
    with closing(dbapi2.connect(file)) as other:
        other.execute("CREATE TABLE photos (name TEXT)")
    content = file.read_bytes()
    catalog = sqlite_catalog(tmp_path, create=create)
    assert not catalog.database.is_missing()
    with pytest.raises(BackendUnavailableError) as caught:
        catalog.archives()
    assert caught.value.metadata["cause"] == "NOT_A_CATALOG"
    assert file.read_bytes() == content


def test_the_check_of_the_file_finds_damage_that_no_statement_has_met(catalog: Catalog, tmp_path: Path) -> None:
    assert catalog.database.problems() == []
    for number in range(200):
        catalog.put_item(item_record(number))
    catalog.database.compact()
    catalog.database.close()
    file = tmp_path / "catalog.db"
    content = file.read_bytes()
    file.write_bytes(content[:-4096] + b"\xff" * 4096)
    damaged = sqlite_catalog(tmp_path, create=False)
    assert damaged.database.problems()
    damaged.database.close()


def test_a_catalog_is_made_in_an_empty_home_and_not_where_it_was_lost(tmp_path: Path) -> None:
    settings = load_settings({"home": tmp_path})
    made = composition.catalog(settings, create=True)
    assert made.archives() == []
    made.database.close()
    composition.blob_store(settings).put("inputs/a/b", b"pixels")
    composition.catalog(settings, create=True)
    (tmp_path / "catalog.db").unlink()
    with pytest.raises(BackendUnavailableError) as caught:
        composition.catalog(settings, create=True)
    assert caught.value.metadata == {"backend": "catalog", "cause": "MISSING"}
    assert str(tmp_path / "catalog.db") in caught.value.message


def test_work_that_fails_costs_the_work_that_shares_its_commit_nothing(catalog: Catalog) -> None:
    begun, go_on, outcomes = threading.Event(), threading.Event(), dict[str, object]()

    def first(connection: Connection) -> None:
        begun.set()
        assert go_on.wait(5)

    def fail(connection: Connection) -> None:
        items.put_item(connection, item_record(1))
        raise ZeroDivisionError

    def run(name: str, work: Callable[[Connection], object]) -> None:
        try:
            outcomes[name] = catalog.database.write(work)
        except ZeroDivisionError as error:
            outcomes[name] = error

    works = {"first": first, "fails": fail, "works": partial(items.put_item, record=item_record(2))}
    threads = [threading.Thread(target=run, args=each) for each in works.items()]
    threads[0].start()
    assert begun.wait(5)
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join()
    assert isinstance(outcomes.pop("fails"), ZeroDivisionError)
    assert outcomes == {"first": None, "works": True}
    assert list(catalog.items(archive_record())) == [item_record(2)]


@pytest.mark.parametrize(
    "url",
    ["", "catalog.db", "sqlite:///relative.db", "sqlite://", "mysql://host/db", "postgresql://host", "postgresql:"],
)
def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        Database(url)
    assert caught.value.field == "catalog.url"


@pytest.mark.parametrize(
    "url",
    ["postgresql://user:hunter@2@host/db", "postgresql://user:hunter/2", "postgresql://user:1/hunter2@host:x/db"],
    ids=["at", "port", "slash"],
)
def test_a_url_with_an_unescaped_password_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidRequestError, match="password_file") as caught:
        Database(url)
    assert "hunter" not in str(caught.value)
    assert caught.value.field == "catalog.url"
