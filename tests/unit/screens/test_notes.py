"""Notes and exclusions: kept at once, with a reason, beside the results; nobody's are lost."""

import json

import pytest

from napari_attribution.errors import OutputError, RecordError
from napari_attribution.screens.results.notes import read_notes, write_notes


def test_what_is_noted_is_read_again_and_can_be_taken_back(tmp_path) -> None:
    assert read_notes(tmp_path) == {}
    write_notes(tmp_path, {"B03": {"note": " a bubble ", "excluded": None}, "C11": {"note": "", "excluded": "blurred"}})
    assert read_notes(tmp_path) == {
        "B03": {"note": "a bubble", "excluded": None},
        "C11": {"note": "", "excluded": "blurred"},
    }
    write_notes(tmp_path, {"B03": {"note": "", "excluded": None}})
    assert list(read_notes(tmp_path)) == ["C11"]
    assert [path.name for path in tmp_path.iterdir()] == ["notes.json"], "nothing is left of the writing"


def test_what_another_window_noted_meanwhile_stays(tmp_path) -> None:
    write_notes(tmp_path, {"A01": {"note": "mine", "excluded": None}})
    other = json.loads((tmp_path / "notes.json").read_text("utf-8")) | {"A02": {"note": "theirs", "excluded": None}}
    (tmp_path / "notes.json").write_text(json.dumps(other), "utf-8")
    assert write_notes(tmp_path, {"A01": {"note": "mine still", "excluded": None}})["A02"]["note"] == "theirs"


def test_nothing_is_left_out_without_a_reason(tmp_path) -> None:
    with pytest.raises(OutputError, match="say why"):
        write_notes(tmp_path, {"A01": {"note": "", "excluded": "  "}})
    assert read_notes(tmp_path) == {}


def test_damaged_notes_are_named_and_never_overwritten(tmp_path) -> None:
    (tmp_path / "notes.json").write_text('{"A01": ', "utf-8")
    for ask in (read_notes, lambda folder: write_notes(folder, {"A02": {"note": "x", "excluded": None}})):
        with pytest.raises(RecordError, match=r"notes\.json"):
            ask(tmp_path)
    assert (tmp_path / "notes.json").read_text("utf-8") == '{"A01": '


def test_where_nothing_can_be_written_the_notes_of_before_stay(tmp_path) -> None:
    file = tmp_path / "a file"
    file.touch()
    with pytest.raises((OutputError, RecordError)):
        write_notes(file, {"A01": {"note": "x", "excluded": None}})
