"""What a classifier file is, found out without opening it; and archives that were made to do harm."""

import os
import struct
import tarfile
import zipfile
from pathlib import Path

import networks
import pytest
import torch
from torch import Tensor, nn

from napari_attribution.classifiers.files.archive import check_archive, check_code
from napari_attribution.errors import ClassifierError

BOTH_EXPORTS = r"torch\.jit\.script\(.*torch\.export\.save\("


class Writes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        torch.save(x, "written.pt")
        return x.mean(dim=(2, 3))


class Reads(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3)) + torch.from_file("secret", False, 4).sum()


@pytest.fixture
def good(tmp_path) -> Path:
    return networks.save(networks.make("gap"), tmp_path / "good.pt")


def again(path: Path, change, name: str = "odd.pt", **options: object) -> Path:
    """The archive written again; `change` takes its parts and returns those to write."""
    with zipfile.ZipFile(path) as archive:
        parts = [(info.filename, archive.read(info)) for info in archive.infolist()]
    made = path.with_name(name)
    with zipfile.ZipFile(made, "w", **options) as archive:
        for part, data in change(parts):
            archive.writestr(part, data)
    return made


def test_what_a_file_is_does_not_depend_on_its_name(good, tmp_path):
    assert check_archive(good) == "torchscript"
    assert check_archive(good.rename(tmp_path / "good.pt2")) == "torchscript"
    program = torch.export.export(networks.make("gap"), (torch.randn(2, 3, 32, 32),))
    torch.export.save(program, tmp_path / "net.pt2")
    assert check_archive((tmp_path / "net.pt2").rename(tmp_path / "net.pt")) == "pt2"


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        (b"", "is empty. Copy it again"),
        (b"\0" * 4096, "only zeros.*not copied completely"),
        (b"PK\x03\x04 and then nothing", "damaged archive, probably cut short"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5 file"),
        (struct.pack("<Q", 70) + b'{"__metadata__":{"format":"pt"}}' + bytes(80), "safetensors file"),
        (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:\x80\x04", "ONNX file"),
        (b"\x08\x07:\xaf\x15\n\x1a\n\x05input", "ONNX file"),
        (b"\x1c\0\0\0TFL3" + bytes(40), "TensorFlow Lite"),
        (b"\x20\0\0\0ET12" + bytes(40), "ExecuTorch"),
        (b"GGUF\x03\0\0\0", "GGUF"),
        (b"\x1f\x8b\x08\0\0\0", "is packed.*Unpack it first"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n", "Git LFS pointer.*git lfs pull"),
        (b"\n<!DOCTYPE html><html><head><title>404", "web page.*Download it again"),
        (b"hello", "not a TorchScript file.*" + BOTH_EXPORTS),
        (b"\x80\x02}q\0.", "Python pickle.*could run any code.*" + BOTH_EXPORTS),
    ],
)
def test_files_of_other_kinds_are_recognised(start, sentence, tmp_path):
    path = tmp_path / "file.pt"
    path.write_bytes(start)
    with pytest.raises(ClassifierError, match=rf"(?s)file\.pt.*{sentence}"):
        check_archive(path)


def test_files_that_torch_saved_as_python_objects(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(networks.make("gap").state_dict(), path)
    with pytest.raises(ClassifierError, match=r"state dict.*" + BOTH_EXPORTS):
        check_archive(path)
    (tmp_path / "sys_info").write_bytes(b"\x80\x02.")
    with tarfile.open(path, "w") as archive:  # as torch did until 0.1
        archive.add(tmp_path / "sys_info", "sys_info")
    with pytest.raises(ClassifierError, match=r"old torch\.save file.*" + BOTH_EXPORTS):
        check_archive(path)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (["net/.data/extern_modules", "net/code.py"], r"torch\.package"),
        (["net/data/aotinductor/model/a.so", "net/archive_format"], "machine code"),
        (["version", "serialized_exported_program.json"], r"torch 2\.7 or older.*pickles"),
        (["config.json", "model.weights.h5"], "Keras"),
        (["readme.txt"], "holds no TorchScript network"),
        (["net/constants.pkl", "net/code/net.py"], r"damaged.*data\.pkl"),
        ([], "empty archive"),
    ],
)
def test_archives_of_other_kinds_are_recognised(parts, sentence, tmp_path):
    path = tmp_path / "file.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for part in parts:
            archive.writestr(part, "x")
    with pytest.raises(ClassifierError, match=sentence):
        check_archive(path)


def test_folders_pipes_and_devices(tmp_path):
    with pytest.raises(ClassifierError, match="is a folder"):
        check_archive(tmp_path)
    with pytest.raises(ClassifierError, match="There is no file"):
        check_archive(tmp_path / "missing.pt")
    with pytest.raises(ClassifierError, match="no name that a file can have"):
        check_archive(Path("a\0b.pt"))
    if os.name == "posix":
        os.mkfifo(tmp_path / "pipe.pt")
        for path in (tmp_path / "pipe.pt", Path("/dev/zero")):
            with pytest.raises(ClassifierError, match="no plain file"):
                check_archive(path)


def test_a_file_that_may_not_be_read(good, monkeypatch):
    def refuses(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuses)
    with pytest.raises(ClassifierError, match=r"good\.pt cannot be read: Permission denied"):
        check_archive(good)


def test_a_bomb_is_not_unpacked(good, monkeypatch):
    zeros = bytes(50 * 2**20)
    path = again(good, lambda parts: [*parts, (parts[0][0] + "x", zeros)], compression=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(zipfile.ZipFile, "testzip", lambda self: pytest.fail("was unpacked"))
    with pytest.raises(ClassifierError, match=r"unpacks from \d+ to 52428800 bytes.*not opened"):
        check_archive(path)


def test_a_bomb_of_parts_that_share_their_bytes(good):
    """Every entry of the table points at the same large part."""
    content = good.read_bytes()
    with zipfile.ZipFile(good) as archive:
        largest = max(archive.infolist(), key=lambda info: info.file_size)
        made = good.with_name("shared.pt")
        with zipfile.ZipFile(made, "w") as other:
            for info in archive.infolist():
                other.writestr(info.filename, archive.read(info))
            for index in range(20):
                copy = zipfile.ZipInfo(f"good/data/{1000 + index}")
                copy.header_offset, copy.CRC = largest.header_offset, largest.CRC
                copy.file_size = copy.compress_size = largest.file_size * 10
                other.filelist.append(copy)
                other.NameToInfo[copy.filename] = copy
            other._didModify = True
    assert len(made.read_bytes()) < 2 * len(content)
    with pytest.raises(ClassifierError, match="parts are larger than the file"):
        check_archive(made)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_tables_that_no_exporter_writes(good, monkeypatch):
    with pytest.raises(ClassifierError, match=r"damaged archive: it holds .* twice"):
        check_archive(again(good, lambda parts: [*parts, parts[0]]))
    for part in ("../outside", "/etc/passwd", "good/a\\b"):
        with pytest.raises(ClassifierError, match="names a part outside of itself"):
            check_archive(again(good, lambda parts, part=part: [*parts, (part, b"x")]))
    with pytest.raises(ClassifierError, match=r"several folders \(good, other\)"):
        check_archive(again(good, lambda parts: [*parts, ("other/data.pkl", b"x")]))
    monkeypatch.setattr("napari_attribution.classifiers.files.archive.MOST_MEMBERS", 10)
    with pytest.raises(ClassifierError, match=r"has \d+ parts; no classifier has so many"):
        check_archive(good)


def test_an_encrypted_archive(good):
    content = bytearray(good.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    good.write_bytes(content)
    with pytest.raises(ClassifierError, match="is encrypted"):
        check_archive(good)


@pytest.mark.parametrize("module", [Writes, Reads])
def test_a_network_that_reads_or_writes_files_is_not_loaded(module, tmp_path):
    path = networks.save(module(), tmp_path / "net.pt")
    with pytest.raises(ClassifierError, match=r"reads or writes files.*not run"):
        check_archive(path)


@pytest.mark.parametrize(
    "code",
    [
        "torch.save(x, 'a')",
        "(torch. # then\n save)(x, 'a')",
        "y = torch.\\\n save(x, 'a')",
        "ops.aten.save(x, 'a')",
        "t = torch\nt.save(x, 'a')",
        "f = [ops.aten]",
        "a = ops\n",
        "getattr(torch, 'save')(x, 'a')",
        "y = torch.from_file('a', False, 4)",
        "ops.image.write_file('a', x)",
        "rpc_async('worker', f, (x,))",
        "store = __torch__.torch.classes.dist_c10d.FileStore('a')",
        "y = ops.unheard_of.run(x)",
    ],
)
def test_code_that_no_classifier_needs(code):
    with pytest.raises(ClassifierError):
        check_code(f"def forward(self, x: Tensor) -> Tensor:\n  {code}\n  return x\n", "net.pt")


@pytest.mark.parametrize("kind", networks.NETWORKS)
@pytest.mark.parametrize("how", ["scripted", "traced"])
def test_ordinary_networks_pass(kind, how, tmp_path):
    assert check_archive(networks.save(networks.make(kind), tmp_path / "net.pt", how)) == "torchscript"


@pytest.mark.parametrize(
    "code",
    [
        "y = torch.add(x, torch.mean(x, [2, 3]))",
        "ops.prim.RaiseException('saved by (torch 1.9)')",
        "save = self.save\n  y = (save).forward(x)",
        "d = ops.prim.device(x)\n  y = torch.zeros([1], dtype=6, layout=0, device=d)",
        "y = ops.quantized.linear(x, self._packed_params, 1., 0)",
        "y = annotate(List[__torch__.torch.nn.modules.conv.Conv2d], [])",
    ],
)
def test_code_that_classifiers_have(code):
    check_code(f"def forward(self, x: Tensor) -> Tensor:\n  {code}\n  return x\n", "net.pt")


def test_tensors_stay_within_their_bytes(good):
    """torch would read beyond them, and crash or take what lies there for weights."""

    def short(parts):
        return [(part, b"" if part == "good/data/0" else data) for part, data in parts]

    def lost(parts):
        return [(part, data) for part, data in parts if part != "good/data/0"]

    def larger(parts):
        """The first weight's sizes, (8, 3, 3, 3) as small numbers, become (255, 3, 3, 3)."""
        sizes = b"(K\x08K\x03K\x03K\x03t"
        assert sizes in dict(parts)["good/data.pkl"]
        return [
            (part, data.replace(sizes, b"(K\xffK\x03K\x03K\x03t") if part == "good/data.pkl" else data)
            for part, data in parts
        ]

    def nonsense(parts):
        return [(part, b"\x80\x02ttt." if part == "good/data.pkl" else data) for part, data in parts]

    def code(parts):
        return [
            (part, b"\x80\x02c__builtin__\neval\nS'1'\n\x85R." if part == "good/data.pkl" else data)
            for part, data in parts
        ]

    for change, sentence in [
        (short, r"216 numbers has only 0 bytes \(part 0\)"),
        (lost, r"lacks the numbers of a tensor \(part 0\)"),
        (larger, r"sizes \(255, 3, 3, 3\) reads beyond its 216 numbers"),
        (nonsense, r"data\.pkl makes no sense"),
        (code, r"what torch never writes \(STRING\)"),
    ]:
        with pytest.raises(ClassifierError, match=f"odd.pt is a damaged TorchScript file: .*{sentence}.*Copy it again"):
            check_archive(again(good, change))
