"""What is explained with before it is saved leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
from napari_attribution.desktop.train.outcome import unsaved
(unsaved() / "trained.pt").write_text("weights")
assert unsaved() is unsaved()
print(unsaved())
"""


def test_the_folder_of_unsaved_classifiers_is_gone_with_the_process(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)
    assert Path(done.stdout.strip()).parent == tmp_path
    assert list(tmp_path.iterdir()) == []
