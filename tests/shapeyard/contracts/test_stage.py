"""What a stage declares: settings with their types, ranges and texts, checked when they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Annotated, Any

import pytest

from components import stages
from shapeyard.contracts.stage import (
    NO_EFFECT,
    OneOf,
    PositiveInt,
    Range,
    Settings,
    Share,
    required,
    settings_of,
)
from shapeyard.errors import ParameterError, require


@dataclass(frozen=True)
class ParentSettings(Settings):
    """Of two stages."""

    source: str
    """Where it is."""
    workers: Annotated[int, Range(ge=0), NO_EFFECT] = 0
    """Cores to
    work on."""
    steps: PositiveInt = 10
    """Of both."""


@dataclass(frozen=True)
class ChildSettings(ParentSettings):
    """Of one stage."""

    mode: Annotated[str, OneOf(("a", "b", "c"))] = "a"
    """Which."""
    share: Share = 0.5
    untold: Annotated[float, Range(gt=0, lt=1)] = 0.25
    fast: bool = False
    """Whether."""
    steps: PositiveInt = 20
    """Of its own."""

    def check(self) -> None:
        """Steps go with the mode."""
        require(self.mode != "b" or self.steps > 5, f"steps: expected more than 5 in mode b, got {self.steps}")


@pytest.mark.parametrize(
    ("allowed", "inside", "outside", "text"),
    [
        (Range(ge=1), [1, 10**9], [0, 0.999], "1 or more"),
        (Range(gt=0), [1e-9, 5], [0, -1], "above 0"),
        (Range(ge=0, le=1), [0, 0.5, 1], [-1e-9, 1.001], "0 to 1"),
        (Range(gt=0, lt=1), [0.5], [0, 1], "above 0 to below 1"),
        (Range(le=3), [-7, 3], [4], "at most 3"),
        (Range(lt=3), [-7, 2.9], [3], "below 3"),
    ],
)
def test_ranges(allowed: Range, inside: list[float], outside: list[float], text: str) -> None:
    assert all(value in allowed for value in inside)
    assert not any(value in allowed for value in [*outside, math.nan, math.inf, -math.inf, "1", None])
    assert str(allowed) == text


def test_one_of() -> None:
    allowed = OneOf(("a", "b", 3))
    assert "a" in allowed and 3 in allowed and "c" not in allowed and "3" not in allowed
    assert str(allowed) == "a, b or 3"
    assert str(OneOf(("a",))) == "a"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps: expected 1 or more, got 0"),
        ({"steps": 1.0}, "steps: expected a value of type int, got 1.0"),
        ({"steps": True}, "steps: expected a value of type int, got True"),
        ({"steps": "1"}, "steps: expected a value of type int, got '1'"),
        ({"share": math.nan}, "share: expected 0 to 1, got nan"),
        ({"share": True}, "share: expected a value of type float, got True"),
        ({"share": None}, "share: expected a value of type float, got None"),
        ({"untold": math.inf}, "untold: expected above 0 to below 1, got inf"),
        ({"mode": "d"}, "mode: expected a, b or c, got d"),
        ({"mode": 3}, "mode: expected a value of type str, got 3"),
        ({"fast": 1}, "fast: expected a value of type bool, got 1"),
        ({"mode": "b", "steps": 4}, "steps: expected more than 5 in mode b, got 4"),
        ({"mode": "d", "steps": 0}, "mode: expected a, b or c, got d"),
    ],
)
def test_wrong_values_are_refused_in_one_line(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        ChildSettings(source="x", **wrong)
    assert str(caught.value) == message


def test_values_that_are_taken() -> None:
    assert ChildSettings(source="x", share=1, mode="b", steps=6).share == 1, "a whole number is a float as well"


def test_settings_as_they_were_declared() -> None:
    declared = settings_of(ChildSettings)
    assert list(declared) == ["mode", "share", "untold", "fast", "steps", "source", "workers"], "its own come first"
    assert {name: one.type for name, one in declared.items()} == {
        "source": str, "mode": str, "share": float, "untold": float, "fast": bool, "steps": int, "workers": int,
    }  # fmt: skip
    assert [name for name, one in declared.items() if required(one)] == ["source"]
    assert declared["mode"].allowed == OneOf(("a", "b", "c")) and declared["source"].allowed is None
    assert declared["workers"].allowed == Range(ge=0) and not declared["workers"].has_effect


def test_texts_are_inherited_and_overridden() -> None:
    parent, child = settings_of(ParentSettings), settings_of(ChildSettings)
    assert {name: one.text for name, one in parent.items()} == {
        "source": "Where it is.", "workers": "Cores to work on.", "steps": "Of both.",
    }  # fmt: skip
    assert {name: one.text for name, one in child.items()} == {
        "source": "Where it is.", "mode": "Which.", "share": "", "untold": "", "fast": "Whether.",
        "steps": "Of its own.", "workers": "Cores to work on.",
    }  # fmt: skip
    assert (parent["steps"].default, child["steps"].default) == (10, 20)


def test_texts_of_classes_inside_of_functions() -> None:
    @dataclass(frozen=True)
    class LocalSettings(ParentSettings):
        steps: int = 30
        """Here."""

    assert settings_of(LocalSettings)["steps"].text == "Here."


def test_hyperparameters_leave_out_what_has_no_effect() -> None:
    assert ChildSettings(source="x", workers=3).hyperparameters() == {
        "source": "x", "mode": "a", "share": 0.5, "untold": 0.25, "fast": False, "steps": 20,
    }  # fmt: skip
    assert ChildSettings(source="x", workers=3).hyperparameters() == ChildSettings(source="x").hyperparameters()


@pytest.mark.parametrize("name", stages())
def test_every_stage_says_all_of_its_settings_and_artifacts(name: str) -> None:
    stage = stages()[name]
    settings = settings_of(stage.settings)
    assert settings.keys() == {one.name for one in fields(stage.settings)}
    for one in (*settings.values(), *stage.inputs.values(), *stage.outputs.values()):
        assert one.text.endswith("."), one
    for setting in settings.values():
        assert setting.type in (str, int, float, bool)
        if not required(setting):
            setting.check(setting.default)
        if setting.type is not str and setting.type is not bool:
            assert setting.allowed is not None, f"{setting.name}: a number has a range"
    assert not set(settings) & (stage.inputs.keys() | stage.outputs.keys())
