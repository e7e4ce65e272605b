"""Plates whose every image is different and known, and a server of files: made in the tests, in a moment."""

import threading
import warnings
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import tifffile

STAINS = ("DNA", "ER", "Mito")


def pixels_of(position, field, stains=STAINS, shape=(24, 32)):
    """(C, H, W) uint16: what the field of that place shows, different for every stain of every field."""
    seed = [ord(letter) for letter in f"{position}/{field}"]
    made = {
        stain: np.random.default_rng([*seed, number]).integers(100, 4000, shape) for number, stain in enumerate(STAINS)
    }
    return np.stack([made[stain] for stain in stains]).astype(np.uint16)


def zarr_image(path, pixels, stains, version="0.4", axes="cyx", **options):
    """An OME-Zarr image as ngio writes it."""
    from ngio import create_ome_zarr_from_array

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        create_ome_zarr_from_array(
            path, pixels, axes_names=axes, pixelsize=0.65, channels_meta=list(stains) if stains else None, levels=1,
            ngff_version=version, overwrite=True, **options,
        )  # fmt: skip


def zarr_plate(path, fields, version="0.4", stains=STAINS):
    """An OME-Zarr plate with the fields {(position, number): stains there, or None to speak of it only}."""
    from ngio import ImageInWellPath, create_empty_plate

    images = [ImageInWellPath(row=place[0], column=place[1:], path=str(number)) for place, number in fields]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        create_empty_plate(path, "made", images=images, ngff_version=version, overwrite=True)
    for (place, number), there in fields.items():
        if there is not None:
            zarr_image(path / place[0] / place[1:] / str(number), pixels_of(place, number, there), there, version)
    return path


def tiff(path, pixels, **options):
    """A plain TIFF of one plane."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata=None, **options)


@contextmanager
def served(folder):
    """The address of a folder, by HTTP, and the requests that it was asked for."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
