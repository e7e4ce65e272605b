"""Cards are kept as bioimage.io model descriptions (specification 0.5), beside the weights or among their extra files.

Reading looks only at what a card needs, with a plain YAML parser, because importing bioimageio.spec takes seconds;
writing goes through bioimageio.spec, so that what is written is a valid description.

What has no place of its own in such a description (how a field becomes an input, the background, whether a whole well is
normalised before it is cut) stands under `config: napari_attribution`.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.cards.steps import read_steps, write_steps
from napari_attribution.errors import CardError, NormalisationMissing, OutputError

SUFFIX = ".bioimageio.yaml"
EXTRA_FILE = "bioimageio.yaml"
_OURS = "napari_attribution"
_OUR_FIELDS = ("mode", "overlap", "over", "background", "pixel_size", "field_size")
_UM = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "meter": 1e6}


def card_path(weights: Path) -> Path:
    """Where the card of a weights file is kept: `phenotypes.pt` has `phenotypes.bioimageio.yaml`."""
    return weights.with_name(weights.stem + SUFFIX)


def find_card(weights: Path) -> ClassifierCard | None:
    """The card beside a weights file, in the bioimage.io package that it is part of, or among its extra files; else None.

    Raises
    ------
    CardError
        Where there is one that cannot be used.
    """
    beside = _beside(weights)
    if beside is not None:
        return read_card(beside)
    if zipfile.is_zipfile(weights):
        with zipfile.ZipFile(weights) as archive:
            for name in archive.namelist():
                if name.endswith(f"/extra/{EXTRA_FILE}"):
                    return card_from_text(archive.read(name).decode("utf-8", "replace"), f"{weights.name}/{EXTRA_FILE}")
    return None


def _beside(weights: Path) -> Path | None:
    """The description beside a weights file, or of the package that it is part of."""
    if card_path(weights).is_file():
        return card_path(weights)
    for name in ("rdf.yaml", "bioimageio.yaml"):
        package = weights.with_name(name)
        if package.is_file() and weights.name in package.read_text("utf-8", "replace"):
            return package
    return None


def read_card(path: str | Path) -> ClassifierCard:
    """Read the card from a bioimage.io model description.

    Raises
    ------
    CardError
        Where the file is missing, is no such description, or describes no classifier of stains; `NormalisationMissing`,
        with what is known, where it describes one but says nothing about normalisation.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"The classifier card {path} cannot be read: {error}.") from None
    return card_from_text(text, path.name)


def card_from_text(text: str, origin: str) -> ClassifierCard:
    """The card in the text of a bioimage.io model description; `origin` names the text in errors."""
    try:
        description = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CardError(f"{origin} is not YAML: {str(error).splitlines()[0]}.") from None
    if not isinstance(description, Mapping) or description.get("type") != "model" or not description.get("inputs"):
        raise CardError(f"{origin} is not a bioimage.io model description (it lacks 'type: model' or 'inputs').")
    try:
        return _card(description)
    except CardError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        raise CardError(
            f"{origin} does not describe a classifier of stains ({type(error).__name__}: {error})."
        ) from None


def _card(description: Mapping[str, Any]) -> ClassifierCard:
    if len(description["inputs"]) != 1:
        raise CardError(f"The description wants {len(description['inputs'])} inputs; a classifier of a well takes one.")
    tensor = description["inputs"][0]
    axes = {axis.get("id", axis["type"]): axis for axis in tensor["axes"]}
    stains = axes["channel"]["channel_names"]
    ours = (description.get("config") or {}).get(_OURS) or {}
    output_axes = {axis.get("id", axis["type"]): axis for axis in description["outputs"][0]["axes"]}
    if "channel" not in output_axes or "y" in output_axes:
        raise CardError(
            "The description's output is an image or has no classes (no 'channel' axis): it is no classifier's."
        )
    sizes = [axes[name].get("size") for name in ("y", "x")]
    fixed = all(isinstance(size, int) for size in sizes)
    scale, unit = axes["y"].get("scale", 1.0), axes["y"].get("unit")
    known: dict[str, Any] = {
        "stains": stains,
        "classes": output_axes["channel"]["channel_names"],
        "size": tuple(sizes) if fixed else None,
        "mode": "resize" if fixed else "whole",
        "pixel_size": scale * _UM[unit] if unit in _UM else None,
        "name": description.get("name", "classifier"),
        "description": description.get("description", ""),
    }
    known |= {field: ours[field] for field in _OUR_FIELDS if field in ours}
    found = read_steps(tensor.get("preprocessing") or [], len(stains), known["mode"] in ("resize", "whole"))
    if "normalisation" not in found:
        raise NormalisationMissing(
            "The description says nothing about normalisation. Say how the classifier was trained: give each stain's mean and "
            "std (0 and 1 where the network takes raw pixels), or choose per image or percentiles.",
            known | found,
        )
    return ClassifierCard(**known, **found)


def weights_note(weights: Path, sha256: str) -> str | None:
    """A sentence where the description beside a weights file was written for other weights than these; else None.

    Parameters
    ----------
    weights : Path
    sha256 : str
        Of the weights file as it is.
    """
    path = _beside(weights)
    if path is None:
        return None
    try:
        entry = yaml.safe_load(path.read_text("utf-8"))["weights"]["torchscript"]
        source, written = str(entry["source"]), entry.get("sha256")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return None
    if not written or written == sha256 or Path(source).name != weights.name:
        return None
    return (
        f"{path.name} was written for another version of {weights.name} (its SHA-256 begins with {str(written)[:8]}, the "
        f"file's with {sha256[:8]}). Check that the classes and the normalisation still hold, then write the card again."
    )


def write_card(card: ClassifierCard, weights: Path, path: Path | None = None) -> Path:
    """Write the card as a bioimage.io model description, with the small test tensors that the specification asks for.

    Parameters
    ----------
    card : ClassifierCard
    weights : Path
        The TorchScript file; it is run once, on the CPU, to fill the test output.
    path : Path, optional
        Where to write; beside the weights if not given. The folder of the card must be the folder of the weights.

    Returns
    -------
    Path of the description.

    Raises
    ------
    OutputError
        Where the files cannot be written.
    ClassifierError
        Where the weights do not do what the card says.
    """
    import numpy as np
    import torch

    from napari_attribution.classifiers.files.loading import load_classifier
    from napari_attribution.classifiers.preparation.normalisation import normalise

    weights = Path(weights)
    path = Path(path) if path else card_path(weights)
    if path.resolve().parent != weights.resolve().parent:
        raise OutputError(f"A card stands in the folder of its weights: write it to {card_path(weights)}.")
    classifier = load_classifier(weights, device="cpu", card=card)
    h, w = card.size or (64, 64)
    noise = torch.randn(1, len(card.stains), h, w, generator=torch.Generator().manual_seed(0))
    # Where the card does not say how bright the wells are, any pixels will do: what the network reads is the same.
    mean, std = card.mean or (1000.0,) * len(card.stains), card.std or (200.0,) * len(card.stains)
    raw = torch.tensor(mean)[None, :, None, None] + torch.tensor(std)[None, :, None, None] * noise
    inputs = normalise(raw, torch.tensor(mean), card).images
    with torch.no_grad():
        scores = classifier.scores(inputs).cpu().numpy()
    tensors = {"input": raw.numpy(), "output": scores}
    try:
        names = {kind: f"{path.name.removesuffix(SUFFIX)}.test-{kind}.npy" for kind in tensors}
        for kind, array in tensors.items():
            np.save(path.with_name(names[kind]), array)
        description = _description(card, weights, path.parent, names, float(np.abs(scores).max()))
        text = yaml.safe_dump(description, sort_keys=False, allow_unicode=True, width=110)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise OutputError(
            f"The card cannot be written to {path}: {error.strerror or error}. Choose another place."
        ) from None
    return path


def _description(
    card: ClassifierCard, weights: Path, folder: Path, tensors: Mapping[str, str], largest: float
) -> dict[str, Any]:
    """The card as a description that bioimageio.spec has validated, as plain data."""
    import torch
    from bioimageio.spec import ValidationContext
    from bioimageio.spec.model import v0_5

    from napari_attribution.classifiers.files.archive import check_archive

    def space(axis: str, size: int | None) -> dict[str, Any]:
        extent: Any = size if size is not None else {"min": 32, "step": 1}
        unit = {"scale": card.pixel_size, "unit": "micrometer"} if card.pixel_size and card.mode != "resize" else {}
        return {"type": "space", "id": axis, "size": extent, **unit}

    h, w = card.size or (None, None)
    ours = card.model_dump(mode="json", include=set(_OUR_FIELDS), exclude_none=True)
    exported = check_archive(weights) == "pt2"
    if exported:
        ours["weights_format"] = "torch.export"  # the specification has no entry for these yet
    fields: dict[str, Any] = {
        "type": "model",
        "format_version": v0_5.ModelDescr.implemented_format_version,
        "name": _title(card.name),
        "description": (card.description or "A classifier of stained wells.")[:1024],
        "authors": [{"name": "unknown"}],
        "license": "CC0-1.0",
        "tags": ["napari-attribution", "classification", *(["torch.export"] if exported else [])],
        "config": {
            # Small scores need a small tolerance: the specification wants at most 1 % of the largest.
            "bioimageio": {"reproducibility_tolerance": [{"absolute_tolerance": min(1e-3, 1e-3 * largest)}]},
            _OURS: ours,
        },
        "inputs": [
            {
                "id": "well",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": list(card.stains)},
                    space("y", h),
                    space("x", w),
                ],
                "test_tensor": {"source": tensors["input"], "sha256": _sha256(folder / tensors["input"])},
                "data": {"type": "float32"},
                "preprocessing": write_steps(card),
            }
        ],
        "outputs": [
            {
                "id": "scores",
                "axes": [{"type": "batch"}, {"type": "channel", "channel_names": list(card.classes)}],
                "test_tensor": {"source": tensors["output"], "sha256": _sha256(folder / tensors["output"])},
            }
        ],
        "weights": {
            "torchscript": {
                "source": weights.name,
                "sha256": _sha256(weights),
                "pytorch_version": torch.__version__.split("+")[0],
            }
        },
    }
    # The licence and the authors are the card writer's to change; validation sees what will be written.
    with ValidationContext(root=folder, perform_io_checks=False):
        try:
            checked = v0_5.ModelDescr.model_validate(fields)
        except ValueError as error:
            raise CardError(f"The card makes no valid bioimage.io description: {error}.") from None
    return dict(json.loads(checked.model_dump_json(exclude_unset=True, exclude_none=True)))


def _title(name: str) -> str:
    """A name as the specification allows it: plain characters, at least five."""
    title = re.sub(r"[^A-Za-z0-9_\- ()+]", " ", name).strip()
    return title if len(title) >= 5 else f"{title} classifier".strip()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
