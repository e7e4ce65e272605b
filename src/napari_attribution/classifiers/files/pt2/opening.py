"""Open .pt2 files (torch.export) so that only plain data is ever read.

`torch.export.load` trusts its file: it unpickles sample inputs, custom objects and odd tensors; it evaluates symbolic
sizes and guards as Python; it builds Python source from the names in the graph and runs it; it finds operators by
walking attributes from `torch`. So the file is not given to it. What a network needs is taken out by an allow-list
(the graph as JSON, checked key by key; the weights as raw bytes, checked against their sizes) and put into a new archive
in memory, and only that is loaded:

- every string is a name, a known operator, an arithmetic expression of sizes, or free text that is only ever quoted;
- sample inputs, guards, stack traces and unknown parts are left behind;
- a network exported on a GPU is read as one on the CPU; it can be moved afterwards.

Nothing of the file is unpickled, evaluated or imported. The operators themselves are torch's, and so are their flaws.
"""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from napari_attribution.classifiers.answers import reason
from napari_attribution.classifiers.files.archive import EXPORT
from napari_attribution.classifiers.files.pt2.plain import plain_pt2
from napari_attribution.errors import ClassifierError

if TYPE_CHECKING:
    from torch.export import ExportedProgram


def check_pt2(path: Path) -> None:
    """Check that a .pt2 file holds nothing but plain data.

    Raises
    ------
    ClassifierError
        Which says what else it holds.
    """
    plain_pt2(path)


def open_pt2(path: Path) -> ExportedProgram:
    """Load a .pt2 file's network on the CPU; exactly the bytes that were checked are loaded.

    The program has no example inputs and no guards: `module()` checks the shapes of its inputs by itself.

    Raises
    ------
    ClassifierError
        Where the file holds more than plain data, is damaged, or torch cannot load it.
    """
    content = plain_pt2(path)
    import torch.export

    told: list[BaseException] = []

    def listen(record: logging.LogRecord) -> bool:
        """Keep what torch only logs, and log it no further: it is said by the error."""
        if record.exc_info and record.exc_info[1] is not None:
            told.append(record.exc_info[1])
        return False

    logs = [logging.getLogger(name) for name in ("torch.export", "torch.export.pt2_archive._package", "torch._export")]
    try:
        for logger in logs:
            logger.addFilter(listen)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.load(io.BytesIO(content))
    except Exception as error:  # of any kind: a graph is checked for harm above, not for sense
        raise ClassifierError(
            f"torch {torch.__version__} cannot open {path.name}: {_short(told[0] if told else error)} The file is damaged, or "
            f"was made by a newer torch. {EXPORT}"
        ) from None
    finally:
        for logger in logs:
            logger.removeFilter(listen)


def _short(error: BaseException) -> str:
    """What torch says, without the whole description of a node that it may repeat."""
    text = reason(error)
    return text if len(text) <= 200 else text[:200].rstrip() + " ..."
