"""Leases: one holder at a time, growing epochs, and no take-over while a holder writes."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from support.plans import assert_no_scan
from xmirad.catalog import clock
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.leases import Lease, Leases, claim, release, still_holds
from xmirad.catalog.tables import leases

Open = Callable[..., Catalog]
LONG = 3_600.0


@pytest.fixture
def held(catalog: Catalog) -> Leases:
    return Leases(catalog.database)


def holds(catalog: Catalog, lease: Lease) -> bool:
    return catalog.database.write(lambda connection: still_holds(connection, lease))


def test_a_lease_has_one_holder_who_may_renew_it(held: Leases) -> None:
    first = held.claim("sweeper", "a", seconds=LONG)
    assert first == Lease("sweeper", "a", 1)
    assert held.claim("sweeper", "b", seconds=LONG) is None
    assert held.claim("sweeper", "a", seconds=LONG) == first
    assert held.claim("collector", "b", seconds=LONG) == Lease("collector", "b", 1)


def test_a_lease_that_is_taken_over_has_the_next_epoch_and_the_earlier_holder_learns_of_it(
    catalog: Catalog, held: Leases
) -> None:
    first = held.claim("sweeper", "a", seconds=0.0)
    assert first is not None
    assert holds(catalog, first)  # it has expired, but nobody came
    second = held.claim("sweeper", "b", seconds=LONG)
    assert second == Lease("sweeper", "b", 2)
    assert not holds(catalog, first)
    assert holds(catalog, second)
    held.release(second)
    third = held.claim("sweeper", "a", seconds=LONG)
    assert third == Lease("sweeper", "a", 3)
    assert not holds(catalog, first)  # the same holder, but an epoch long gone


def test_releasing_a_lease_that_was_taken_over_leaves_it_to_the_new_holder(held: Leases) -> None:
    first = held.claim("sweeper", "a", seconds=0.0)
    assert first is not None
    assert held.claim("sweeper", "b", seconds=LONG) is not None
    held.release(first)
    assert held.claim("sweeper", "c", seconds=LONG) is None


def test_of_many_who_claim_at_once_one_gets_it(open_catalog: Open) -> None:
    catalogs = [open_catalog() for _ in range(4)]
    taken: list[Lease | None] = []

    def claim_one(number: int) -> None:
        taken.append(Leases(catalogs[number].database).claim("sweeper", str(number), seconds=LONG))

    threads = [threading.Thread(target=claim_one, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([lease for lease in taken if lease is not None]) == 1
    assert len(taken) == 4


def test_nobody_takes_over_while_a_holder_writes_and_the_new_lease_lasts_from_then_on(
    catalog: Catalog, open_catalog: Open
) -> None:
    lease = Leases(catalog.database).claim("sweeper", "a", seconds=0.0)
    assert lease is not None
    other = Leases(open_catalog().database)
    other.claim("another", "b", seconds=LONG)  # its connection is open
    writes, may_end, taken = threading.Event(), threading.Event(), threading.Event()
    order: list[str] = []
    found: list[Lease | None] = []

    def write(connection: Connection) -> None:
        assert still_holds(connection, lease)
        writes.set()
        may_end.wait(10.0)
        order.append("written")

    def take_over() -> None:
        writes.wait(10.0)
        found.append(other.claim("sweeper", "b", seconds=1.0))
        order.append("taken over")
        taken.set()

    threads = [threading.Thread(target=lambda: catalog.database.write(write)), threading.Thread(target=take_over)]
    for thread in threads:
        thread.start()
    assert not taken.wait(1.5)  # longer than the lease it asks for
    may_end.set()
    for thread in threads:
        thread.join()
    assert order == ["written", "taken over"]
    assert found == [Lease("sweeper", "b", 2)]
    assert Leases(catalog.database).claim("sweeper", "c", seconds=LONG) is None  # the wait did not count


def test_a_claim_that_is_not_committed_changes_nothing(catalog: Catalog, held: Leases) -> None:
    def fail(connection: Connection) -> None:
        assert claim(connection, "sweeper", "a", seconds=LONG) is not None
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catalog.database.write(fail)
    assert held.claim("sweeper", "b", seconds=LONG) == Lease("sweeper", "b", 1)


def test_a_lease_of_an_earlier_start_of_the_machine_has_expired(
    catalog: Catalog, held: Leases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = held.claim("sweeper", "a", seconds=LONG)
    (tmp_path / "boot_id").write_text("another\n", "ascii")
    monkeypatch.setattr(clock, "BOOT_ID", tmp_path / "boot_id")
    is_taken = held.claim("sweeper", "b", seconds=LONG) is not None
    is_local = catalog.database.read(lambda connection: connection.dialect.name) == "sqlite"
    assert first is not None
    assert is_taken is is_local
    assert holds(catalog, first) is not is_local


def test_no_change_of_the_wall_clock_ends_or_prolongs_a_lease(held: Leases, monkeypatch: pytest.MonkeyPatch) -> None:
    assert held.claim("sweeper", "a", seconds=LONG) is not None
    monkeypatch.setattr(time, "time", lambda: 1e12)
    assert held.claim("sweeper", "b", seconds=LONG) is None


def test_a_lease_ends_when_its_time_has_passed(catalog: Catalog, held: Leases) -> None:
    assert held.claim("sweeper", "a", seconds=5.0) is not None
    assert held.claim("sweeper", "b", seconds=LONG) is None
    earlier = update(leases).values(expiry_ms=leases.c.expiry_ms - 5_000)
    catalog.database.write(lambda connection: connection.execute(earlier))
    assert held.claim("sweeper", "b", seconds=LONG) == Lease("sweeper", "b", 2)


def test_no_statement_of_leases_reads_a_whole_table(catalog: Catalog) -> None:
    lease = Lease("sweeper", "a", 1)
    assert_no_scan(catalog.database, lambda: catalog.database.write(lambda c: claim(c, "sweeper", "a", seconds=LONG)))
    assert_no_scan(catalog.database, lambda: holds(catalog, lease))
    assert_no_scan(catalog.database, lambda: catalog.database.write(lambda c: release(c, lease)))
