"""Whether files are tried out, and how long one may take."""

import os

SWITCH = "NAPARI_ATTRIBUTION_TRIAL"
"""Environment variable: 0 where files are trusted and no trial is wanted, as on a cluster."""

TIME_LIMIT = 60.0
"""Seconds that a classifier may take to load and to answer the questions asked at load."""


def is_wanted() -> bool:
    """Whether files are to be tried out: not where the environment says that they are trusted."""
    return os.environ.get(SWITCH, "1").strip().lower() not in ("0", "no", "off", "false")
