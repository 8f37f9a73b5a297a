from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.certificates import LIFE, Authority
from xmirad.doctor.certificates import check_certificates
from xmirad.doctor.findings import Finding, State
from xmirad.settings import Settings
from xmirad.settings_sources import load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a service and a client with certificates that expire in a day."""
    authority = Authority(tmp_path, "authority")
    signed = authority.sign("server")
    security = {"tls_certificate_file": signed.certificate, "tls_key_file": signed.key}
    return load_settings({"home": tmp_path / "home", "security": security, "client": {"ca_file": authority.file}})


def found(settings: Settings, *, days: float) -> list[Finding]:
    return list(check_certificates(settings, now=datetime.now(UTC) + LIFE - timedelta(days=days)))


def test_certificates_that_are_good_for_long_are_in_order(settings: Settings) -> None:
    (finding,) = found(settings, days=31)
    assert finding.state is State.OK
    assert "the first to expire is" in finding.found


@pytest.mark.parametrize(
    ("days", "state", "words"), [(29, State.WARNING, "in 28 days"), (-1, State.FAILED, "expired at")]
)
def test_certificates_that_expire_are_told_each_with_its_remedy(
    settings: Settings, days: float, state: State, words: str
) -> None:
    findings = found(settings, days=days)
    assert [finding.state for finding in findings] == [state, state]
    assert {finding.found.split()[0] for finding in findings} == {"security.tls_certificate_file", "client.ca_file"}
    assert all(words in finding.found and "have it renewed" in finding.remedy for finding in findings)


def test_without_certificates_nothing_is_said_of_them(tmp_path: Path) -> None:
    other = tmp_path / "no.pem"
    other.write_text("not a certificate")
    assert list(check_certificates(load_settings({"home": tmp_path}))) == []
    assert list(check_certificates(load_settings({"home": tmp_path, "client": {"ca_file": other}}))) == []
