import pytest

from shapeyard.errors import ParameterError
from shapeyard.sources.selection import Selection


def test_item_and_selection_are_each_others_inverse() -> None:
    selection = Selection("s3://b/p", "classes", "chair,table", 5, "z", 3)
    item = selection.item(1, 7, "abc")
    assert all(isinstance(value, str) for value in item.values())
    assert (item["shard"], item["objects"], item["fingerprint"]) == ("1", "7", "abc")
    assert Selection.of_item(item) == selection


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"layout": "tree"}, "layout: expected auto, shapenet, .* or things, got tree"),
     ({"up_axis": "x"}, "up_axis: expected auto, y or z, got x"), ({"shards": 0}, "shards: expected 1 to 64, got 0"),
     ({"shards": 65}, "shards: expected 1 to 64, got 65"),
     ({"max_per_class": -1}, "max_per_class: expected 0 or more, got -1")],
)  # fmt: skip
def test_values_out_of_range(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=f"^{message}$"):
        Selection("x", **wrong)  # type: ignore[arg-type]


def test_an_item_that_is_none() -> None:
    with pytest.raises(ParameterError, match="expected an item of plan"):
        Selection.of_item({"source": "x"})
