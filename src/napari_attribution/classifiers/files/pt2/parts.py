"""The parts of a .pt2 archive, as they are read and as they are written."""

from __future__ import annotations

import json
import zipfile
from typing import Any

from napari_attribution.classifiers.files.archive import EXPORT
from napari_attribution.classifiers.files.pt2.refusal import refusal
from napari_attribution.errors import ClassifierError

MODEL = "model"
"""What torch.export.save calls the network in its archive."""

_MOST_JSON = 512 * 2**20


class Parts:
    """What an archive holds, without the name of the folder that all of it stands in.

    Parameters
    ----------
    archive : ZipFile
    name : str
        Of the file, for errors.
    """

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self.name = name
        self._archive = archive
        self._infos = {info.filename.partition("/")[2]: info for info in archive.infolist()}

    def __contains__(self, part: str) -> bool:
        return part in self._infos

    def read(self, part: str) -> bytes:
        """A part's bytes.

        Raises
        ------
        ClassifierError
            Where there is no such part.
        """
        if part not in self._infos:
            raise ClassifierError(f"{self.name} is a damaged .pt2 file: it lacks its part {part}. {EXPORT}")
        return self._archive.read(self._infos[part])

    def json(self, part: str) -> Any:
        """A part that is JSON, taken apart.

        Raises
        ------
        ClassifierError
            Where there is no such part, or it is no JSON.
        """
        if part in self._infos and self._infos[part].file_size > _MOST_JSON:
            raise refusal(self.name, "has a description of an absurd size")
        try:
            return json.loads(self.read(part))
        except (ValueError, RecursionError) as error:
            raise ClassifierError(
                f"{self.name} is a damaged .pt2 file: its {part} is no JSON ({error}). {EXPORT}"
            ) from None


def as_json(value: Any) -> bytes:
    """A value as a part that is JSON."""
    return json.dumps(value).encode()
