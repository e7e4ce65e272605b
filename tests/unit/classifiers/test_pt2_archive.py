"""Of a .pt2 file only plain data is read: whatever else is put into one never runs."""

import io
import json
import pickle
import zipfile
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import networks
import pytest
import torch
from torch import Tensor, nn

from napari_attribution.classifiers.files.pt2_archive import check_pt2, open_pt2
from napari_attribution.errors import ClassifierError

MODEL = "net/models/model.json"
WEIGHTS = "net/data/weights/model_weights_config.json"
CONSTANTS = "net/data/constants/model_constants_config.json"
SAMPLES = "net/data/sample_inputs/model.pt"
X = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 8, 8)
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.conv(x).flatten(2).transpose(1, 2)
        return self.head(self.attention(tokens, tokens, tokens)[0].mean(dim=1))


class Answers(nn.Module):
    """Convolution, norm, dropout; a dict for an answer, a shared weight and a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.3))
        self.head, self.other = nn.Linear(8, 3), nn.Linear(8, 3)
        self.other.weight = self.head.weight

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = self.body(x).mean(dim=(2, 3)) * torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 8])
        return {"scores": self.head(y), "more": self.other(y)}


class Either(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda y: y.mean((2, 3)), lambda y: y.amax((2, 3)), (x,))


class Resizes(nn.Module):
    """Any height and width, which are reckoned with."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3, stride=2), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        a = nn.functional.interpolate(self.conv(x), size=(x.shape[2] // 3 + 1, max(x.shape[3], 7)), mode="bilinear")
        return self.head(a.reshape(x.shape[0], 4, a.shape[2] * a.shape[3]).mean(dim=2))


BATCH = {0: torch.export.Dim("batch", min=1, max=64)}
SIZES = BATCH | {2: torch.export.Dim("h", min=16, max=4096), 3: torch.export.Dim("w", min=16, max=4096)}


def exported(network: nn.Module, path: Path, shapes: dict | None = None) -> Path:
    program = torch.export.export(network.eval(), (X,), dynamic_shapes=None if shapes is None else (shapes,))
    torch.export.save(program, path)
    return path


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    return exported(networks.make("gap"), tmp_path_factory.mktemp("pt2") / "net.pt2", BATCH)


@pytest.fixture
def canary(tmp_path) -> Path:
    return tmp_path / "canary"


class Trap:
    """Unpickling this would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def changed(path: Path, folder: Path, change) -> Path:
    """The archive with some parts changed; `change` works on a dict of its parts, JSON taken apart."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for name in (MODEL, WEIGHTS, CONSTANTS):
        parts[name] = json.loads(parts[name])
    change(parts)
    made = folder / "net.pt2"
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data if isinstance(data, bytes) else json.dumps(data))
    return made


def graph(parts: dict) -> dict:
    return parts[MODEL]["graph_module"]["graph"]


def pickled(thing: object) -> bytes:
    made = io.BytesIO()
    torch.save(thing, made)
    return made.getvalue()


@pytest.mark.parametrize(
    ("network", "shapes"),
    [
        (networks.make("gap"), BATCH),
        (networks.make("gap"), None),
        (networks.make("gated"), BATCH),
        (Answers(), BATCH),
        (Attention(), BATCH),
        (Either(), BATCH),
        (Resizes(), SIZES),
    ],
    ids=["gap", "one batch", "gated", "answers", "attention", "either", "resizes"],
)
def test_ordinary_networks_are_loaded_and_give_the_same(network, shapes, tmp_path):
    path = exported(network, tmp_path / "net.pt2", shapes)
    check_pt2(path)
    mine, torchs = open_pt2(path).module(), torch.export.load(path).module()
    inputs = [X] if shapes is None else [X, X[:1], torch.cat([X, X, X])]
    if shapes is SIZES:
        inputs.append(torch.randn(3, 3, 47, 80))
    with torch.no_grad():
        for x in inputs:
            torch.testing.assert_close(mine(x), torchs(x))


def test_the_wrong_batch_is_refused_without_the_guards(tmp_path):
    network = open_pt2(exported(networks.make("gap"), tmp_path / "net.pt2")).module()
    with pytest.raises(RuntimeError, match="to be equal to 2"):
        network(X[:1])


def test_layers_keep_the_names_of_their_modules(good):
    program = open_pt2(good)
    stacks = [list(node.meta["nn_module_stack"].values()) for node in program.graph.nodes if node.op == "call_function"]
    assert stacks[0][-1][0] == "blocks.0.conv1"


def test_a_network_exported_on_a_gpu_is_read_on_the_cpu(good, tmp_path):
    def change(parts):
        for name in (MODEL, WEIGHTS):
            parts[name] = json.loads(
                json.dumps(parts[name]).replace('{"type": "cpu", "index": null}', '{"type": "cuda", "index": 0}')
            )

    network = open_pt2(changed(good, tmp_path, change)).module()
    torch.testing.assert_close(network(X), open_pt2(good).module()(X))


# ---------------------------------------------------------------------------------------------------- what must never run


def a_pickle_for_a_weight(parts, canary):
    first = next(iter(parts[WEIGHTS]["config"].values()))
    first["use_pickle"] = True
    parts["net/data/weights/" + first["path_name"]] = pickled(Trap(canary))


def a_pickle_for_a_constant(parts, canary):
    parts["net/data/constants/tensor_0"] = pickled(Trap(canary))
    meta = {"path_name": "tensor_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    parts[CONSTANTS]["config"]["constant"] = meta


def an_object_of_torch(parts, canary):
    parts["net/data/constants/custom_obj_0"] = b"x"
    meta = {"path_name": "custom_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    parts[CONSTANTS]["config"]["constant"] = meta


def an_opaque_object(parts, canary):
    parts["net/data/constants/opaque_obj_0"] = pickle.dumps(Trap(canary))
    meta = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    parts[CONSTANTS]["config"]["constant"] = meta


def weights_of_torch_2_8(parts, canary):
    parts["net/data/weights/model.pt"] = pickled({"weight": Trap(canary)})


def constants_of_torch_2_8(parts, canary):
    parts["net/data/constants/model.pt"] = pickled({"weight": Trap(canary)})


def a_size_that_is_code(parts, canary):
    for value in graph(parts)["tensor_values"].values():
        for size in value["sizes"]:
            if "as_expr" in size:
                size["as_expr"]["expr_str"] = f"__import__('pathlib').Path({str(canary)!r}).touch()"


def a_size_that_calls_sympy(parts, canary):
    graph(parts)["sym_int_values"]["n"] = {"as_expr": {"expr_str": "sympify('1')"}}


def a_size_that_takes_for_ever(parts, canary):
    graph(parts)["sym_int_values"]["n"] = {"as_expr": {"expr_str": "9**9**9**9"}}


def an_operator_that_runs_code(parts, canary):
    graph(parts)["nodes"][0]["target"] = "torch.hub.load"


def an_operator_that_compiles(parts, canary):
    graph(parts)["nodes"][0]["target"] = "torch.utils.cpp_extension.load"


def an_operator_of_operator(parts, canary):
    graph(parts)["nodes"][0]["target"] = "_operator.methodcaller"


def an_operator_that_reads_files(parts, canary):
    graph(parts)["nodes"][0]["target"] = "torch.ops.aten.from_file.default"


def an_attribute_of_an_operator(parts, canary):
    graph(parts)["nodes"][0]["target"] = "torch.ops.aten.conv2d.overloads"


def an_operator_as_an_argument(parts, canary):
    graph(parts)["nodes"][0]["inputs"][0]["arg"] = {"as_operator": "torch.os.system"}


def an_operator_from_elsewhere(parts, canary):
    graph(parts)["nodes"][0]["target"] = "#extension:run"


def a_name_that_is_code(parts, canary):
    """torch writes Python source from the names of a graph's values, and runs it."""
    code = f"x = open({str(canary)!r}, 'w'); y"
    text = json.dumps(graph(parts)).replace('"conv2d"', json.dumps(code))
    parts[MODEL]["graph_module"]["graph"] = json.loads(text)


def an_argument_name_that_is_code(parts, canary):
    entry = parts[MODEL]["graph_module"]["module_call_graph"][0]
    entry["signature"]["forward_arg_names"] = [f"x=open({str(canary)!r}, 'w')"]


def a_weight_name_that_is_code(parts, canary):
    text = json.dumps(parts[MODEL]).replace("blocks.0.conv1.weight", f"a'), open({str(canary)!r}, 'w'), ('")
    parts[MODEL] = json.loads(text)


def an_object_among_the_values(parts, canary):
    graph(parts)["custom_obj_values"]["a"] = {"name": "a", "class_fqn": "os"}


def nesting_that_imports(parts, canary):
    context = json.dumps({"default_factory_module": "os", "default_factory_name": "abort"})
    tree = {"type": "collections.defaultdict", "context": context, "children_spec": []}
    parts[MODEL]["graph_module"]["module_call_graph"][0]["signature"]["out_spec"] = json.dumps([1, tree])


def nesting_with_an_enum(parts, canary):
    context = json.dumps([{"__enum__": True, "fqn": "os:abort", "name": "a"}])
    tree = {
        "type": "builtins.dict",
        "context": context,
        "children_spec": [{"type": None, "context": None, "children_spec": []}],
    }
    parts[MODEL]["graph_module"]["module_call_graph"][0]["signature"]["out_spec"] = json.dumps([1, tree])


def machine_code(parts, canary):
    parts["net/data/aotinductor/model/model.so"] = b"\x7fELF"


@pytest.mark.parametrize(
    "harm",
    [
        a_pickle_for_a_weight,
        a_pickle_for_a_constant,
        an_object_of_torch,
        an_opaque_object,
        weights_of_torch_2_8,
        constants_of_torch_2_8,
        a_size_that_is_code,
        a_size_that_calls_sympy,
        a_size_that_takes_for_ever,
        an_operator_that_runs_code,
        an_operator_that_compiles,
        an_operator_of_operator,
        an_operator_that_reads_files,
        an_attribute_of_an_operator,
        an_operator_as_an_argument,
        an_operator_from_elsewhere,
        a_name_that_is_code,
        an_argument_name_that_is_code,
        a_weight_name_that_is_code,
        an_object_among_the_values,
        nesting_that_imports,
        nesting_with_an_enum,
        machine_code,
    ],
)
def test_what_is_no_plain_data_is_refused_and_does_not_run(harm, good, tmp_path, canary):
    path = changed(good, tmp_path, lambda parts: harm(parts, canary))
    for opens in (check_pt2, open_pt2):
        with pytest.raises(ClassifierError) as raised:
            opens(path)
        assert str(raised.value).startswith("net.pt2 ")
        assert str(raised.value).rstrip(")").endswith(".")
    assert not canary.exists()


def test_the_traps_would_spring(good, tmp_path, canary):
    """Without the check, torch runs what these files hold: the tests above prove something."""
    for harm in (a_pickle_for_a_weight, an_opaque_object, a_size_that_is_code):
        with suppress(Exception):
            torch.export.load(changed(good, tmp_path, lambda parts, harm=harm: harm(parts, canary)))
        assert canary.exists()
        canary.unlink()


def test_what_is_left_behind_does_not_run(good, tmp_path, canary):
    """Sample inputs, guards, notes and unknown parts are not refused, but not loaded either."""

    def change(parts):
        parts[SAMPLES] = pickled(((Trap(canary),), {}))
        parts[MODEL]["guards_code"] = [f"open({str(canary)!r}, 'w')"]
        parts[MODEL]["something_new"] = f"open({str(canary)!r}, 'w')"
        for node in graph(parts)["nodes"]:
            node["metadata"] = {"source_fn_stack": "a,torch.hub.load", "custom": "{", "stack_trace": "x\nopen()"}
        parts["net/extra/notes.txt"] = b"hello"

    network = open_pt2(changed(good, tmp_path, change)).module()
    torch.testing.assert_close(network(X), open_pt2(good).module()(X))
    assert not canary.exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda parts: parts.pop(WEIGHTS), "lacks its part data/weights/model_weights_config.json"),
        (lambda parts: parts.pop(MODEL), "holds no network"),
        (lambda parts: parts.pop("net/data/weights/weight_0"), "lacks its part data/weights/weight_0"),
        (lambda parts: parts.update({"net/data/weights/weight_0": b"1234"}), "wants more numbers than its part holds"),
        (lambda parts: parts.update({"net/byteorder": b"big"}), "big-endian"),
        (lambda parts: parts.update({"net/archive_version": b"x"}), "names a format that is not known"),
        (lambda parts: parts.update({MODEL: b"{"}), "is no JSON"),
        (lambda parts: parts.update({MODEL: b"[" * 100_000}), "is no JSON"),
        (lambda parts: graph(parts)["nodes"].clear(), "torch .* cannot open"),
        (
            lambda parts: parts[MODEL].update(schema_version={"major": 99, "minor": 0}),
            "torch .* cannot open.*newer torch",
        ),
        (lambda parts: parts[WEIGHTS].update(config=7), "description makes no sense"),
        (
            lambda parts: parts[MODEL].update(range_constraints={"s77": {"min_val": 10**30, "max_val": 2}}),
            "absurd size",
        ),
    ],
)
def test_damaged_files(change, sentence, good, tmp_path):
    with pytest.raises(ClassifierError, match=sentence):
        open_pt2(changed(good, tmp_path, change))


@pytest.mark.parametrize("key", ["sizes", "strides", "storage_offset"])
def test_a_tensor_stays_within_its_bytes(key, good, tmp_path):
    def change(parts):
        meta = parts[WEIGHTS]["config"]["blocks.0.conv1.weight"]["tensor_meta"]
        if key == "storage_offset":
            meta[key] = {"as_int": 1}
        else:
            meta[key][0] = {"as_int": 10**6}

    with pytest.raises(ClassifierError, match="wants more numbers than its part holds"):
        open_pt2(changed(good, tmp_path, change))


def test_an_answer_of_another_type(tmp_path):
    class Named(nn.Module):
        def forward(self, x: Tensor) -> OrderedDict:
            return OrderedDict(scores=x.mean(dim=(2, 3)))

    assert open_pt2(exported(Named(), tmp_path / "net.pt2")).module()(X)["scores"].shape == (2, 3)
