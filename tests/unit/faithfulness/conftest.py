import sys
from pathlib import Path

# Tests are imported by path (importlib): what two of them share is found here.
sys.path.insert(0, str(Path(__file__).parent))
