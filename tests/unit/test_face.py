"""The public face: what the README and the docs show in Python works as it stands there, and what they point to is there."""

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PAGES = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]
"""The docs are not in a source distribution."""


def blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)


def test_the_readmes_python_runs(monkeypatch):
    monkeypatch.chdir(TOP)
    first, *others = blocks(PAGES[0])
    names: dict = {}
    exec(first, names)
    answer = names["answer"]
    for code in others:
        exec(code, names)
    assert answer.predicted == "mito fragmented"
    assert answer.per_stain["Mito"].shape == answer.map.shape == (512, 512)


@pytest.mark.parametrize("page", [page for page in PAGES[1:] if blocks(page)], ids=lambda page: page.name)
def test_the_python_of_the_docs_runs(page, monkeypatch):
    monkeypatch.chdir(TOP)
    names: dict = {}
    for code in blocks(page):
        exec(code, names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_points_to_is_there(page):
    pointed = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text("utf-8"))
    gone = [one for one in pointed if not (page.parent / one).exists()]
    if not (TOP / "docs").is_dir():  # nor are the benchmarks in a source distribution
        gone = [one for one in gone if not one.startswith(("docs/", "benchmarks/"))]
    assert gone == []
