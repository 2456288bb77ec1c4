"""What pipelines are made of."""

from __future__ import annotations

import pytest

from components.render import RenderSettings
from components.train_classifier import TrainClassifierSettings
from components.train_depth import TrainDepthSettings
from components.train_recgan import TrainRecganSettings
from launch.parameters import load_pipeline, pipeline_names, preset, preset_names
from shapeyard.errors import ParameterError
from shapeyard.sources.selection import Selection

PRESETS = [(pipeline, name) for pipeline in pipeline_names() for name in preset_names(pipeline)]


def test_a_preset_becomes_the_settings_of_a_stage() -> None:
    pipeline, values = load_pipeline("reconstruct"), preset("reconstruct", "tiny")
    values |= {"seed": 7, "shard_workers": 3, "workers": 2}
    depth, recgan, render = (pipeline.settings_of(name, values) for name in ("train_depth", "train_recgan", "render"))
    assert depth == TrainDepthSettings(
        width=4, steps=30, learning_rate=0.002, validate_every=15, batch_size=8, seed=7, workers=2
    )
    assert isinstance(recgan, TrainRecganSettings)
    assert (recgan.width, recgan.discriminator_start, recgan.pairs) == (4, 10, "")  # hidden: as it is declared
    assert isinstance(render, RenderSettings) and (render.views, render.image_size, render.workers) == (2, 32, 3)
    with pytest.raises(ParameterError, match=r"^width: expected 1 or more, got 0$"):
        pipeline.settings_of("train_depth", values | {"depth_width": 0})


@pytest.mark.parametrize(("pipeline", "name"), PRESETS)
def test_every_preset_is_one_that_all_stages_take(pipeline: str, name: str) -> None:
    load_pipeline(pipeline).check(preset(pipeline, name))


def test_what_a_pipeline_fixes_is_no_parameter() -> None:
    for name, classes in {
        "reconstruct": 1,
        "multiview": 1,
        "implicit": 1,
        "classify_voxels": 2,
        "classify_stl": 2,
    }.items():
        pipeline, values = load_pipeline(name), preset(name, "tiny")
        assert "min_classes" not in pipeline.parameters()
        selection = pipeline.settings_of("plan", values)
        assert isinstance(selection, Selection) and selection.min_classes == classes
    trained = load_pipeline("reconstruct").settings_of("train_classifier", preset("reconstruct", "tiny"))
    assert isinstance(trained, TrainClassifierSettings) and trained.one_class == "leave-out"
