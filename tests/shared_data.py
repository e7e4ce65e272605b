"""Real data made by others: not part of the project, so tests that need it say so where it is missing."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"real data of others is not at {SHARED}")
