"""Run with the Python of a clean environment: is the plugin in the installed wheel whole, and does napari find it?"""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import npe2
from napari.plugins import _initialize_plugins

import napari_attribution

NAME = "napari-attribution"
top = Path(sys.argv[1])

package = Path(napari_attribution.__file__).parent
assert Path(sys.prefix) in package.parents, f"not the installed package: {package}"

(entry,) = entry_points(group="napari.manifest", name=NAME)
folder = package.parent / entry.value.partition(":")[0]
assert (folder / "napari.yaml").read_bytes() == (top / "napari.yaml").read_bytes(), "the manifest differs"

tracked = subprocess.run(
    ["git", "-C", top, "ls-files", "-z", "src/napari_attribution", "sample_data"],
    capture_output=True,
    text=True,
    check=True,
)
files = [Path(name) for name in tracked.stdout.split("\0") if name]
for name in files:
    installed = package.parent / name.relative_to("src") if name.parts[0] == "src" else folder / name
    assert installed.is_file(), f"{name} is missing from the wheel"
    assert installed.read_bytes() == (top / name).read_bytes(), f"{name} differs in the wheel"

_initialize_plugins()
manager = npe2.PluginManager.instance()
assert NAME in manager, "napari does not discover the plugin"
manifest = manager.get_manifest(NAME)
for sample in manifest.contributions.sample_data or []:
    layers = sample.open()
    assert layers, f"File > Open Sample > {sample.display_name} opens nothing"
    print(f"sample {sample.key}: {len(layers)} layers")

subprocess.run([Path(sys.executable).with_name(NAME), "--help"], stdout=subprocess.DEVNULL, check=True)
print(f"{NAME} {napari_attribution.__version__}: {len(files)} files as in the repository, discovered by napari")
