from pathlib import Path

import pytest

from xmirad.doctor import decoder
from xmirad.doctor.decoder import check_decoder
from xmirad.doctor.findings import State
from xmirad.settings import Settings


@pytest.mark.parametrize(
    ("probe", "state", "words"),
    [
        (decoder.PROBE, State.OK, "libraries only"),
        ("print('Landlock, seccomp')", State.WARNING, "Landlock, seccomp"),
        ("raise OSError", State.FAILED, "cannot be confined"),
    ],
)
def test_what_the_kernel_refuses_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probe: str, state: State, words: str
) -> None:
    monkeypatch.setattr(decoder, "PROBE", probe)
    [found] = check_decoder(Settings(home=tmp_path))
    assert found.state is state
    assert words in found.found
    assert bool(found.remedy) is (state is not State.OK)
