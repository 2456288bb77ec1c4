"""The typed spec of `render`, derived from the package by `shapeyard compile`: do not edit."""

from kfp import dsl


@dsl.component(base_image="shapeyard/render:0.2.0", install_kfp_package=False)
def render(
    meshes: dsl.Input[dsl.Dataset],
    renders: dsl.Output[dsl.Dataset],
    cameras: str = "orbit",
    views: int = 24,
    image_size: int = 137,
    samples: int = 8,
    elevation_degrees: float = 30.0,
    distance: float = 2.1,
    lens_mm: float = 35.0,
    passes: str = "",
    light: str = "studio",
    background: str = "transparent",
    device: str = "cpu",
    seed: int = 0,
    workers: int = 0,
    max_skipped: float = 0.5,
    object_seconds: float = 120.0,
    object_gigabytes: float = 4.0,
) -> str:
    """Render meshes to colour and depth images.

    Args:
        meshes: Dataset of kind meshes; external renderings (layout r2n2) are kept as they are.
        renders: Dataset of kind renders.
        cameras: Where the cameras stand: orbit (a circle), r2n2 (random views as in the 3D-R2N2 data), sphere, or a
            JSON file's path or content.
        views: Images of each object, 1 to 200; a file's cameras are as many as they are.
        image_size: Side of an image in pixels, 16 to 1024.
        samples: Rays per pixel, 1 to 4096; 4 will do for training, 64 for a report.
        elevation_degrees: How far above the object the orbit is, -89 to 89.
        distance: From orbit's and sphere's cameras to the object's centre; its longest side is 1; 2.1 cuts nothing off.
        lens_mm: Focal length on a sensor 32 mm wide, 5 to 1000; 35 is a field of view of 49.1 degrees.
        passes: What to make besides colour and depth, with commas between: normals, albedo.
        light: studio (every view lit alike, from over the left shoulder) or random (to train for photographs).
        background: transparent or random (opaque images, to train for photographs).
        device: cpu, or gpu for one that Blender finds (OptiX, else CUDA); a GPU's pixels differ in the last digits.
        seed: Of the azimuths at which orbit and sphere start, of r2n2's views, of random light and background.
        workers: Cores to work on; 0 for all that the process may use.
        max_skipped: Share of the objects that may be skipped before the stage fails, 0 to 1.
        object_seconds: Seconds of work on an object after which it is skipped.
        object_gigabytes: Memory of the process that works on an object above which it is skipped, in GB.
    """
    from components.render import RenderSettings
    from components.render.render import render as work
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import place_of

    with stage("render"):
        settings = RenderSettings(
            cameras=cameras,
            views=views,
            image_size=image_size,
            samples=samples,
            elevation_degrees=elevation_degrees,
            distance=distance,
            lens_mm=lens_mm,
            passes=passes,
            light=light,
            background=background,
            device=device,
            seed=seed,
            workers=workers,
            max_skipped=max_skipped,
            object_seconds=object_seconds,
            object_gigabytes=object_gigabytes,
        )
        work(meshes.path, renders.path, settings)
        return place_of(renders.uri, renders.path)
