"""Of a .pt2 file only plain data is read: whatever else is put into one never runs."""

import io
import json
import pickle
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from napari_attribution.classifiers.files.pt2.opening import check_pt2, open_pt2
from napari_attribution.errors import ClassifierError

from .conftest import CONSTANTS, MODEL, WEIGHTS, X, changed, graph

SAMPLES = "net/data/sample_inputs/model.pt"


@pytest.fixture
def canary(tmp_path) -> Path:
    return tmp_path / "canary"


class Trap:
    """Unpickling this would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def pickled(thing: object) -> bytes:
    made = io.BytesIO()
    torch.save(thing, made)
    return made.getvalue()


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
