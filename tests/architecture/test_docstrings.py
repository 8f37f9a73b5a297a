import subprocess
import sys
from pathlib import Path

from support.project import ROOT, SOURCE_ROOTS

# Docstrings say only what types cannot: a missing section is no fault, a wrong one is.
FAULTS = ("DOC102", "DOC104", "DOC502", "DOC303", "but not in the function signature")


def test_documented_arguments_are_those_of_the_signature() -> None:
    assert faults([str(ROOT / root) for root in SOURCE_ROOTS]) == []


def test_a_wrong_argument_in_a_docstring_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text('def f(size: int) -> None:\n    """Do it.\n\n    Args:\n        length: Of it.\n    """\n')
    assert faults([str(planted)])


def faults(paths: list[str]) -> list[str]:
    report = subprocess.run(
        [Path(sys.executable).with_name("pydoclint"), "--quiet", *paths],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.returncode in (0, 1), report.stderr
    lines = (report.stdout + report.stderr).splitlines()
    return [line for line in lines if any(fault in line for fault in FAULTS)]
