"""Blender's scene: camera, light and settings, set up once and kept for all objects."""

from __future__ import annotations

import ctypes
import itertools
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import TracebackType
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from components.render.finished_views import finished_view
from components.render.importing import bounds, import_mesh
from components.render.lighting import STUDIO, Light
from components.render.materials import paint, surface_group
from components.render.openexr import read_passes
from shapeyard.errors import ParameterError
from shapeyard.geometry.cameras import SENSOR_MM

OPENCV_FROM_BLENDER = np.diag([1.0, -1.0, -1.0, 1.0])
"""Blender's cameras have y upwards and look along −z."""
CROP_MARGIN = 2
"""Pixels around the object's box: what a pixel's filter reaches, and that Blender rounds."""
GPU_KINDS = ("OPTIX", "CUDA")
"""The first that Blender finds a device for is taken."""
CHANNELS = {"rgba": "Combined.RGBA", "depth": "Depth.Z", "normals": "Normal.XYZ", "albedo": "DiffCol.RGB"}
"""Blender's name of each pass, and its channels."""
KEPT_BYTES = 100e6
"""What may gather in memory before Blender starts afresh, which takes 35 ms: Cycles keeps the textures of objects that
are gone, and some more for each object."""
OBJECT_BYTES = 35e3
TEXTURE_PIXELS = 4
"""For each pixel of the image's side, at least: larger textures are halved, since finer ones are but grain."""


class Studio:
    """Renders one object after the other; use as a context manager. There is one in a process at a time.

    Settings hold for all of it, since Cycles' persistent data, which makes views four times as fast, misses changes.
    """

    def __init__(
        self,
        image_size: int,
        samples: int,
        threads: int,
        intrinsics: NDArray[np.float64],
        passes: Sequence[str] = (),
        device: str = "cpu",
    ) -> None:
        """`image_size`: side in pixels; `samples`: rays a pixel; `threads`: of Cycles; `passes`: some of
        `components.render.PASSES`; `device`: cpu or gpu."""
        self.image_size, self.intrinsics, self.passes = image_size, intrinsics, ("rgba", "depth", *passes)
        self._memory = os.memfd_create("view")  # Blender hands images out as files alone: one that no disk ever sees
        self._image = Path(f"/proc/self/fd/{self._memory}")
        self._samples, self._threads, self._device = samples, threads, device
        self._kept_bytes = math.inf  # nothing is set up yet

    def __enter__(self) -> Studio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with silence():
            bpy.ops.wm.read_factory_settings(use_empty=True)
        os.close(self._memory)

    def show(self, path: Path, canonical_from_file: NDArray[np.float64]) -> float:
        """Put a mesh file's object into the scene in place of the last one; returns the diagonal of its box.

        Raises:
            MeshError: if Blender cannot import it, there are no faces in it, or its coordinates are not finite.
            ParameterError: for a GPU where Blender finds none.
        """
        with silence():
            if self._kept_bytes > KEPT_BYTES:
                self._set_up()
            self._clear()
            objects = import_mesh(path, canonical_from_file)
            for item in objects:
                paint(item.data, self._surface)
        self._kept_bytes += OBJECT_BYTES + sum(_texture_bytes(image, self.image_size) for image in bpy.data.images)
        lower, upper = bounds(objects)
        self._corners = np.array(list(itertools.product(*zip(lower, upper, strict=True))))
        return float(np.linalg.norm(upper - lower))

    def render(
        self,
        world_from_camera: NDArray[np.float64],
        lights: Sequence[Light] = (),
        backgrounds: Iterator[NDArray[np.float32]] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Render the object from V cameras.

        Args:
            world_from_camera: (V,4,4), OpenCV axes.
            lights: one a view, or none for the studio's.
            backgrounds: (H,W,3) in linear light, one a view, or none for a transparent one.

        Returns:
            Arrays (V,H,W,…), as a dataset of kind renders has them.
        """
        arrays: dict[str, NDArray[Any]] = {}
        for view, matrix in enumerate(world_from_camera):
            light = lights[view] if lights else STUDIO
            self._camera.matrix_world = Matrix((matrix @ OPENCV_FROM_BLENDER).tolist())
            _set_light(self._camera.children[0], light)
            self._crop(matrix)
            with silence():
                bpy.ops.render.render(write_still=True)
            layers = read_passes(self._image)
            os.ftruncate(self._memory, 0)  # so that a view that wasn't written is noticed
            passes = {name: _gather(layers, CHANNELS[name]) for name in self.passes}
            for name, image in finished_view(passes, light, next(backgrounds) if backgrounds else None).items():
                if not view:
                    arrays[name] = np.empty((len(world_from_camera), *image.shape), image.dtype)
                arrays[name][view] = image
        return arrays

    def _crop(self, world_from_camera: NDArray[np.float64]) -> None:
        """Have Cycles leave out what is not near the object, which changes no pixel and saves a seventh of the time."""
        size, render = self.image_size, bpy.context.scene.render
        points = (self._corners - world_from_camera[:3, 3]) @ world_from_camera[:3, :3]
        left, top, right, bottom = 0.0, 0.0, 1.0, 1.0
        if points[:, 2].min() > 0:
            pixels = (points / points[:, 2:] @ self.intrinsics.T)[:, :2]
            least = CROP_MARGIN / size  # an object beside the image leaves a strip, since Blender draws no empty border
            left, top = np.clip((pixels.min(axis=0) - CROP_MARGIN) / size, 0, 1 - least)
            right, bottom = np.clip((pixels.max(axis=0) + CROP_MARGIN) / size, least, 1)
        render.border_min_x, render.border_max_x = left, right
        render.border_min_y, render.border_max_y = 1 - bottom, 1 - top

    def _set_up(self) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        scene = bpy.context.scene
        _choose_settings(scene, self.image_size, self._samples, self._threads)
        if self._device == "gpu":
            _choose_gpu(scene)
        layer = scene.view_layers[0]
        layer.use_pass_normal, layer.use_pass_diffuse_color = "normals" in self.passes, "albedo" in self.passes
        scene.render.filepath = str(self._image)
        self._camera = _add_camera(scene, self.intrinsics / self.image_size)
        self._surface = surface_group(self._samples)
        self._kept_bytes = 0.0

    def _clear(self) -> None:
        """Take the object out of the scene, and all that came with it out of memory."""
        kept = {self._camera, *self._camera.children}
        bpy.data.batch_remove([item for item in bpy.data.objects if item not in kept])
        bpy.data.orphans_purge(do_recursive=True)


@contextmanager
def silence() -> Iterator[None]:
    """Keep away what Blender writes to standard output and error, from C and from Python."""
    _flush()
    saved = os.dup(1), os.dup(2)
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            for original, copy in zip((1, 2), saved, strict=True):
                os.dup2(copy, original)
                os.close(copy)


def _flush() -> None:
    """Empty the buffers of Python and of the C library, so that lines go where they should when they were written."""
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)


def _gather(layers: Mapping[str, NDArray[np.float32]], name: str) -> NDArray[np.float32]:
    """A pass of Blender's: (H,W), or (H,W,C) where it has several channels."""
    name, _, channels = name.partition(".")
    planes = [layers[f"ViewLayer.{name}.{channel}"] for channel in channels]
    return planes[0] if len(planes) == 1 else np.stack(planes, axis=-1)


def _choose_settings(scene: Any, image_size: int, samples: int, threads: int) -> None:
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    cycles.samples = samples
    cycles.use_adaptive_sampling = False
    cycles.use_denoising = False
    cycles.max_bounces = 0  # the light from all around is in the materials
    cycles.pixel_filter_type = "BOX"  # wider ones leave dots around the object, at few samples
    render.use_persistent_data = True
    render.film_transparent = True
    render.use_compositing = False
    render.use_sequencer = False
    render.threads_mode = "FIXED"
    render.threads = threads
    render.resolution_x = render.resolution_y = image_size
    render.resolution_percentage = 100
    render.use_border = True
    render.use_simplify = True
    cycles.texture_limit_render = str(_texture_side(image_size))
    scene.view_layers[0].name = "ViewLayer"
    scene.view_layers[0].use_pass_z = True
    scene.view_settings.view_transform = "Standard"
    render.use_file_extension = False
    image = render.image_settings
    image.file_format = "OPEN_EXR_MULTILAYER"
    image.color_depth = "32"
    image.exr_codec = "NONE"


def _choose_gpu(scene: Any) -> None:
    preferences = bpy.context.preferences.addons["cycles"].preferences
    for kind in GPU_KINDS:
        if any(device.type == kind for device in preferences.get_devices_for_type(kind)):
            preferences.compute_device_type = kind
            for device in preferences.devices:
                device.use = device.type == kind
            scene.cycles.device = "GPU"
            return
    raise ParameterError(f"device: expected a GPU that Blender can use ({' or '.join(GPU_KINDS)}), found none")


def _texture_side(image_size: int) -> int:
    """A power of two, as Cycles offers them from 128 to 8192."""
    return max(128, 1 << (TEXTURE_PIXELS * image_size - 1).bit_length())


def _texture_bytes(image: Any, image_size: int) -> float:
    """What Cycles keeps of a texture, once it has reduced it."""
    width, height = image.size
    pixels = width * height * min(1, _texture_side(image_size) / max(width, height, 1)) ** 2
    return float(pixels * image.depth / 8)


def _add_camera(scene: Any, unit_intrinsics: NDArray[np.float64]) -> Any:
    """The camera, and the key light that moves with it; `unit_intrinsics` (3,3) are for an image whose side is 1."""
    lens = bpy.data.cameras.new("camera")
    lens.sensor_width, lens.sensor_fit = SENSOR_MM, "HORIZONTAL"
    lens.lens = unit_intrinsics[0, 0] * SENSOR_MM
    lens.shift_x, lens.shift_y = 0.5 - unit_intrinsics[0, 2], unit_intrinsics[1, 2] - 0.5
    lens.clip_start, lens.clip_end = 1e-3, 1e3
    camera = bpy.data.objects.new("camera", lens)
    scene.collection.objects.link(camera)
    scene.camera = camera
    lamp = bpy.data.objects.new("key", bpy.data.lights.new("key", "SUN"))
    scene.collection.objects.link(lamp)
    lamp.parent = camera
    return camera


def _set_light(lamp: Any, light: Light) -> None:
    lamp.matrix_local = Vector(light.direction).to_track_quat("Z", "Y").to_matrix().to_4x4()
    lamp.data.energy, lamp.data.color, lamp.data.angle = light.watts, light.color, light.angle_radians
