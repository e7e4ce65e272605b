"""python -m napari_attribution.cli"""

import sys

from napari_attribution.cli.main import main

sys.exit(main())
