"""`python -m napari_attribution`. torch comes first: imported after Qt it can fail on Windows."""

import sys

import torch  # noqa: F401

from napari_attribution.cli import main

sys.exit(main())
