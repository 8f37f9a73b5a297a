import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.project import ROOT

BIN = Path(sys.executable).parent


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "protos", tmp_path / "protos")
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    return tmp_path


def buf(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN / "buf", *arguments], cwd=tree, capture_output=True, text=True, check=False)


def breaking(tree: Path) -> subprocess.CompletedProcess[str]:
    return buf(tree, "breaking", "--against", "protos/released.binpb")


def test_the_protos_keep_what_was_promised(tree: Path) -> None:
    report = breaking(tree)
    assert report.returncode == 0, report.stdout


@pytest.mark.parametrize(
    ("promised", "changed"),
    [
        ("string patient_id = 2;", "string patient_number = 2;"),
        ("string patient_id = 2;", "string patient_id = 3;"),
        ("string patient_id = 2;", "bytes patient_id = 2;"),
    ],
)
def test_a_changed_field_breaks_the_promise(tree: Path, promised: str, changed: str) -> None:
    resources = tree / "protos" / "xmirad" / "v1" / "resources.proto"
    text = resources.read_text()
    assert promised in text
    resources.write_text(text.replace(promised, changed))
    report = breaking(tree)
    assert report.returncode != 0
    assert "patient_id" in report.stdout


def test_a_message_without_a_comment_fails_the_lint(tree: Path) -> None:
    with (tree / "protos" / "xmirad" / "v1" / "resources.proto").open("a") as file:
        file.write("\nmessage Planted {}\n")
    assert "should have a non-empty comment" in buf(tree, "lint").stdout


def regenerated_differences(stubs: Path, work: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--silent", "check-stubs", f"STUBS_WORK={work}", f"STUBS={stubs}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_stubs_are_those_that_the_protos_generate(tmp_path: Path) -> None:
    report = regenerated_differences(ROOT / "core" / "xmirad" / "api" / "v1", tmp_path)
    assert report.returncode == 0, report.stdout + report.stderr


def test_a_stub_edited_by_hand_is_found(tmp_path: Path) -> None:
    stubs = tmp_path / "stubs"
    shutil.copytree(ROOT / "core" / "xmirad" / "api" / "v1", stubs)
    with (stubs / "resources_pb2.pyi").open("a") as file:
        file.write("planted: int\n")
    report = regenerated_differences(stubs, tmp_path / "work")
    assert report.returncode != 0
    assert "planted" in report.stdout
