"""The public face: what the README shows in Python works as it stands there."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_readmes_python_runs(monkeypatch):
    monkeypatch.chdir(README.parent)
    first, *others = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), flags=re.DOTALL)
    names: dict = {}
    exec(first, names)
    answer = names["answer"]
    for code in others:
        exec(code, names)
    assert answer.predicted == "mito fragmented"
    assert answer.per_stain["Mito"].shape == answer.map.shape == (512, 512)
