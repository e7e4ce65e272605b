import os
import sys
from collections import Counter

import pytest
from shared_data import SHARED

# Slices arrive before the call that asked for them returns, so a test can look at the canvas at once.
os.environ["NAPARI_ASYNC"] = "0"
# A second Python for every small network would take the tests an hour; those of the trial itself switch it on.
os.environ["NAPARI_ATTRIBUTION_TRIAL"] = "0"
# What one test chose is not to be found again by the next, nor in the home of whoever runs them.
os.environ["NAPARI_ATTRIBUTION_SETTINGS"] = "0"
# Qt's offscreen platform has no OpenGL: the first image layer fails there, and later tests with it. Xvfb has it.
if os.environ.get("QT_QPA_PLATFORM", "").startswith("offscreen"):
    del os.environ["QT_QPA_PLATFORM"]


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    """Networks are made with random weights: they must not depend on the tests before."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what a run without the real data of others left unproved."""
    if SHARED.is_dir():
        return
    skipped = Counter(
        report.nodeid.split("::")[0]
        for report in terminalreporter.stats.get("skipped", [])
        if str(SHARED) in str(report.longrepr)
    )
    if skipped:
        terminalreporter.section(f"real data is not at {SHARED}")
        terminalreporter.line(f"{skipped.total()} tests that need it were skipped:")
        for path, count in sorted(skipped.items()):
            terminalreporter.line(f"{count:5d}  {path}")
