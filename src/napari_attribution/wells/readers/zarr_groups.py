"""Opening Zarr groups, in a folder or by an address, so that what goes wrong becomes a sentence.

zarr itself reads them; the attributes of OME-Zarr are read here and not by ngio, which refuses images that are fine to look
at (omero channels without a window, or two with the same label).

This module needs the extra `screens` and is imported late, after `locations.zarr_needed`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zarr
from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.errors import ContainsArrayError, GroupNotFoundError, NodeNotFoundError
from zarr.storage import FsspecStore, LocalStore, WrapperStore

from napari_attribution.errors import AttributionError, WellError
from napari_attribution.wells.readers.locations import is_url


class Watched(WrapperStore[Store]):
    """A store that looks at what goes through it.

    It knows what it was asked for and did not have: zarr gives zeros for a chunk that is not there. And where `blosc` is set, it
    holds the length of a chunk against the length in its header: Blosc reads past the end of one that was cut short.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.missed: set[str] = set()
        self.blosc = False

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """As the store has it; a miss is noted."""
        found = await super().get(key, prototype, byte_range)
        if found is None:
            self.missed.add(key)
        elif self.blosc and byte_range is None:
            # A header alone takes 16 bytes.
            length = max(16, int.from_bytes(found[12:16].to_bytes(), "little"))
            if len(found) < length:
                raise ValueError(f"the chunk {key} has {len(found):,} of {length:,} bytes")
        return found


@contextmanager
def opened(location: str) -> Iterator[tuple[zarr.Group, Watched]]:
    """The Zarr group at a path or an address; whatever goes wrong inside becomes a WellError."""
    if not is_url(location) and not Path(location).is_dir():
        raise WellError(f"There is no folder {location}. Check the name, and that its drive is connected.")
    try:
        store = Watched(_remote(location) if is_url(location) else LocalStore(location, read_only=True))
        yield zarr.open_group(store, mode="r"), store
    except AttributionError:
        raise
    except (GroupNotFoundError, NodeNotFoundError, KeyError) as error:
        missing = "no Zarr group" if isinstance(error, GroupNotFoundError) else f"a group without {error}"
        raise WellError(
            f"{location} is no OME-Zarr: there is {missing}. Check its address, and that it was copied as a whole."
        ) from None
    except ContainsArrayError:
        raise WellError(
            f"{location} is a bare Zarr array, which does not say what its axes are. Save it as OME-Zarr."
        ) from None
    except MemoryError:
        raise WellError(f"{location} does not fit into memory. Save one field of it as an image of its own.") from None
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if is_url(location) and isinstance(error, OSError | TimeoutError):
            raise WellError(
                f"{location} cannot be reached ({reason:.160}). Check the address and the network."
            ) from error
        raise WellError(f"{location} cannot be read: it is damaged ({reason:.160}). Copy it again.") from error


def _remote(address: str) -> Store:
    try:
        return FsspecStore.from_url(address.rstrip("/"), read_only=True)
    except (ImportError, ValueError) as error:
        raise WellError(f"{address} cannot be read: {str(error).rstrip('.')}. Check how the address begins.") from None


def ome_attributes(group: zarr.Group) -> tuple[Mapping[str, Any], str]:
    """The attributes that OME-Zarr defines, and their version ("" where they do not say)."""
    attributes = group.attrs.asdict()
    inner = attributes.get("ome")
    if isinstance(inner, dict):
        return inner, str(inner.get("version", ""))
    for part in ("plate", "well", "multiscales"):
        told = attributes.get(part)
        told = told[0] if isinstance(told, list) and told else told
        if isinstance(told, dict) and "version" in told:
            return attributes, str(told["version"])
    return attributes, ""


def attributes_within(location: str, parts: Sequence[str], zarr_format: int) -> list[Mapping[str, Any] | None]:
    """The OME attributes of many groups inside one, read at the same time; None for what is not there or is damaged.

    Raises
    ------
    WellError
        Where the address cannot be reached.
    """
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    name = "zarr.json" if zarr_format == 3 else ".zattrs"
    system, root = url_to_fs(location.rstrip("/"))
    keys = [f"{root}/{part}/{name}" for part in parts]
    texts = system.cat(keys, on_error="return") if keys else {}
    unreachable = next(
        (one for one in texts.values() if isinstance(one, Exception) and not isinstance(one, FileNotFoundError)), None
    )
    if unreachable is not None and is_url(location):
        raise WellError(
            f"{location} cannot be reached ({str(unreachable) or type(unreachable).__name__:.160}). Check the address and the "
            "network."
        )
    return [_parsed(texts.get(key), zarr_format) for key in keys]


def _parsed(text: Any, zarr_format: int) -> Mapping[str, Any] | None:
    try:
        attributes = json.loads(text) if isinstance(text, bytes) else None
    except ValueError:
        return None
    if zarr_format == 3 and isinstance(attributes, dict):
        attributes = attributes.get("attributes", {}).get("ome")
    return attributes if isinstance(attributes, dict) else None
