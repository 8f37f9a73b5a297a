"""One word per thing: the words that the project never uses for its concepts."""

import ast
import re
from pathlib import Path

import pytest

from support.project import ROOT, source_files

NEVER_IN_PROTOS = {
    "gallery",
    "corpus",
    "hit",
    "hits",
    "neighbor",
    "neighbors",
    "similarity",
    "probe",
    "descriptor",
    "dim",
}
NEVER_IN_CODE = NEVER_IN_PROTOS - {"neighbors", "neighbor"} | {"similarity_score", "arr", "encoder", "extractor"}
NEVER_SPELLED = re.compile(r"licence|colour|grey|centre|normalis|serialis|neighbour")  # codespell:ignore


def public_names(path: Path) -> set[str]:
    """Return the public functions, classes, parameters and attributes of a module."""
    tree = ast.parse(path.read_text())
    names = {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
    }
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    names |= {
        node.target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    return {name for name in names if not name.startswith("_")}


def words(name: str) -> set[str]:
    return {word.lower() for part in name.split("_") for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", part)} | {
        name.lower()
    }


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_public_names_use_the_words_of_the_house(path: Path) -> None:
    names = public_names(path)
    assert {name for name in names if words(name) & NEVER_IN_CODE or NEVER_SPELLED.search(name.lower())} == set()


@pytest.mark.parametrize("path", sorted((ROOT / "protos").rglob("*.proto")), ids=lambda path: path.name)
def test_protos_use_the_words_of_the_house(path: Path) -> None:
    code = re.sub(r"//.*|\"[^\"]*\"", "", path.read_text())
    names = set(re.findall(r"\b[A-Za-z_]\w*\b", code))
    assert {name for name in names if words(name) & NEVER_IN_PROTOS or NEVER_SPELLED.search(name.lower())} == set()


def test_a_forbidden_word_is_found_in_every_spelling() -> None:
    assert words("top_hits") & NEVER_IN_PROTOS
    assert words("SearchHit") & NEVER_IN_PROTOS
    assert not words("white_level") & NEVER_IN_PROTOS
