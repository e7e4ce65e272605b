"""What an installation carries besides the modules: the manifest, the version, and a cheap import."""

import subprocess
import sys
from importlib.metadata import entry_points, version
from importlib.util import find_spec
from pathlib import Path

import napari_attribution

ROOT = Path(__file__).resolve().parents[1]


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_installed_manifest_is_the_one_at_the_top() -> None:
    (entry,) = entry_points(group="napari.manifest", name="napari-attribution")
    module, _, name = entry.value.partition(":")
    spec = find_spec(module)
    assert spec is not None
    folders = [Path(folder) for folder in spec.submodule_search_locations or []]
    installed = [folder / name for folder in folders if (folder / name).is_file()]
    assert [path.read_bytes() for path in installed] == [(ROOT / "napari.yaml").read_bytes()], "run `make set-up`"


def test_npe2_discovers_that_manifest() -> None:
    code = f"""
from npe2 import PluginManager, PluginManifest
manager = PluginManager()
manager.discover()
found = manager.get_manifest("napari-attribution").model_dump()
top = PluginManifest.from_file({str(ROOT / "napari.yaml")!r}).model_dump()
for manifest in found, top:
    manifest.pop("package_metadata", None)
print(found == top)
"""
    assert run(code).split() == ["True"]


def test_importing_the_package_is_cheap() -> None:
    code = """
import sys
import napari_attribution
heavy = {"torch", "napari", "qtpy", "PyQt6", "PySide6", "superqt", "magicgui", "skimage", "bioimageio"}
print(sorted(heavy & set(sys.modules)))
"""
    assert run(code).strip() == "[]"


def test_the_package_and_its_metadata_agree_on_the_version() -> None:
    assert napari_attribution.__version__ == version("napari-attribution")
