"""`python -m napari_attribution`: the command line, and without arguments napari with the dock.

torch comes first: imported after Qt, it can fail on Windows.
"""

import sys

import torch  # noqa: F401

from napari_attribution.cli import main

if len(sys.argv) > 1:
    sys.exit(main())

import napari

from napari_attribution.desktop.window import open_window

open_window()
napari.run()
