"""How well shapes are learned as codes, known ones and unseen ones. Chamfer: 30,000 points, sum of both mean squared
distances, × 1000, in the unit sphere; every figure with a 95 % interval over the shapes.

python benchmarks/implicit.py known DATA      eight real models learned and given back by their codes
python benchmarks/implicit.py unseen          200 procedural chairs to learn from, 20 others from what is known of them
python benchmarks/implicit.py real DATA       real meshes of two classes, split by object
python benchmarks/implicit.py sampling        memory while 1,000 shapes are sampled
python benchmarks/implicit.py speed WORK      seconds a shape, and of the surface's extraction, of a model of `unseen`
DATA is the folder of real meshes, WORK what `unseen` wrote.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from preparation import CORES, Clock, PresetSettings, real_meshes
from record import record
from scipy.spatial import cKDTree
from tables import print_figures

from components.fetch import FetchSettings
from components.fetch.fetch import fetch
from components.plan.plan import plan
from components.reconstruct_surfaces import ReconstructSurfacesSettings
from components.sample_sdf import SampleSdfSettings
from components.sample_sdf.sample_sdf import sample_sdf
from components.train_deepsdf import TrainDeepsdfSettings
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample, Split
from shapeyard.evaluation.output import read_evaluation
from shapeyard.evaluation.table import EvaluationTable
from shapeyard.formats.mesh import read_mesh
from shapeyard.geometry.frames import canonical_from_bounds, transform
from shapeyard.geometry.isosurface import points_on_surface
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.sources.procedural import make_object, write_obj
from shapeyard.sources.selection import Selection

KNOWN = (
    "aeroplane/4de653411d", "bench/50c0de8fb1", "bottle/1cf98e5b6f", "chair/341e24df54", "cup/1ea9ea99ac",
    "piano/b4c3484639", "rifle/5b6bf22e5c", "toilet/497833f207",
)  # fmt: skip
"""Class and the beginning of the model's id: of each class the first that `sample_sdf` accepts."""
TRAIN, VAL, TEST = range(200), range(1000, 1020), range(2000, 2020)
"""Numbers of the chairs; settings were chosen on those of `VAL`."""
MEASURES = ("chamfer", "normal_consistency", "fscore", "iou")
NAMES = {"code": "known", "samples": "samples", "half_cloud": "half a cloud", "view": "one view's true depth"}


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--work", type=click.Path(path_type=Path), default=Path("runs/implicit/known"))
@click.option("--network", type=click.Choice(["small", "narrow32"]), default="small")
@click.option("--set", "changed", multiple=True, help="name=value in place of the preset's")
@click.option("--record", "recorded", is_flag=True, help="Write the figure to benchmarks/results.")
def known(data: Path, work: Path, network: str, changed: tuple[str, ...], recorded: bool) -> None:
    """Eight real models in every step."""
    clock, preset = Clock(), PresetSettings("implicit", network, changed)
    if not (work / "sdf" / "dataset.json").is_file():
        (item,) = plan(Selection(str(data / "shapenet_v2"), shards=1))
        fetch(item, work / "all", FetchSettings())
        known_ones: dict[str, Split] = {
            sample.id: "train" for sample in Dataset([work / "all"], "meshes").samples if is_known(sample)
        }
        keep([work / "all"], work / "meshes", known_ones.get)
        sample_sdf(work / "meshes", work / "sdf", preset.of(SampleSdfSettings, workers=CORES))
    table = train_and_measure(work, preset, clock)
    print_table(table, ["code"])
    if recorded:
        values = chamfer(table, "code")
        record(
            f"implicit-known-{network}", "implicit",
            f"Median Chamfer of {len(values)} known real models by their codes, {named(network, changed)}",
            median_and_mean(values),
            command=command("known DATA", network, changed), details=minutes(work),
            target="≤ 0.5" if network == "small" else "",
            met=bool(np.median(values) <= 0.5) if network == "small" else None,
        )  # fmt: skip


@main.command()
@click.option("--work", type=click.Path(path_type=Path), default=Path("runs/implicit/unseen"))
@click.option("--network", default="small", show_default=True, help="The preset.")
@click.option("--set", "changed", multiple=True, help="name=value in place of the preset's")
@click.option("--record", "recorded", is_flag=True, help="Write the figures to benchmarks/results.")
def unseen(work: Path, network: str, changed: tuple[str, ...], recorded: bool) -> None:
    """Chairs that nobody has seen, from what is known of them."""
    clock, preset = Clock(), PresetSettings("implicit", network, changed)
    if not (work / "sdf" / "dataset.json").is_file():
        write_chairs(work / "meshes", {"train": TRAIN, "test": TEST})
        sample_sdf(work / "meshes", work / "sdf", preset.of(SampleSdfSettings, workers=CORES))
    inputs = ["samples", "half_cloud", "view"]
    table = train_and_measure(work, preset, clock)
    print_table(table, ["code", *inputs])
    for name, target in zip(inputs, (1.0, 2.0, 4.0), strict=True):
        values, difference = chamfer(table, name), over_nearest(table, name)
        if recorded:
            record(
                f"implicit-unseen-{name.replace('_', '-')}", "implicit",
                f"Median Chamfer of {len(values)} unseen procedural chairs from {NAMES[name]}, "
                f"{named(network, changed)}",
                median_and_mean(values), command=command("unseen", network, changed),
                compared_with=f"nearest training shape {median_and_mean(chamfer(table, f'nearest_{name}'))}",
                details=f"mean difference {interval(difference)}; {minutes(work)}",
                target=f"≤ {target}, better than the nearest training shape",
                met=bool(np.median(values) <= target and difference["high"] < 0),
            )  # fmt: skip


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--classes", default="chair,cup", show_default=True)
@click.option("--work", type=click.Path(path_type=Path), default=Path("runs/implicit/real"))
@click.option("--set", "changed", multiple=True, help="name=value in place of the preset's")
@click.option("--record", "recorded", is_flag=True, help="Write the figures to benchmarks/results.")
def real(data: Path, classes: str, work: Path, changed: tuple[str, ...], recorded: bool) -> None:
    """Real meshes: every third object of a class is a test object."""
    clock, preset = Clock(), PresetSettings("implicit", "small", changed)
    if not (work / "sdf" / "dataset.json").is_file():
        sources = real_meshes(data, work, classes)
        parts = [work / part for part in sources]
        for part, source in zip(parts, sources.values(), strict=True):
            (item,) = plan(replace(source, shards=1))
            fetch(item, part, FetchSettings())
        keep(parts, work / "meshes", split_with_copies_left_out(parts).get)
        sample_sdf(work / "meshes", work / "sdf", preset.of(SampleSdfSettings, workers=CORES, max_skipped=1.0))
    inputs = ["samples", "half_cloud", "view"]
    table = train_and_measure(work, preset, clock)
    print_table(table, ["code", *inputs])
    for name in inputs if recorded else []:
        values = chamfer(table, name)
        record(
            f"implicit-real-{name.replace('_', '-')}", "implicit",
            f"Median Chamfer of {len(values)} unseen real objects ({classes}) from {NAMES[name]}, "
            f"{named('small', changed)}",
            median_and_mean(values), command=command("real DATA", "small", changed),
            compared_with=f"nearest training shape {median_and_mean(chamfer(table, f'nearest_{name}'))}",
            details=f"mean difference {interval(over_nearest(table, name))}; {minutes(work)}",
        )  # fmt: skip


@main.command()
@click.argument("work", type=click.Path(exists=True, path_type=Path))
@click.option("--record", "recorded", is_flag=True, help="Write the figures to benchmarks/results.")
def speed(work: Path, recorded: bool) -> None:
    """Eight shapes at once and one after the other; surfaces at 256³, refined and whole."""
    from shapeyard.inference.implicit import CodeSearch, extract_surface, find_codes
    from shapeyard.inference.implicit_models import load_decoder
    from shapeyard.inference.observations import observe

    settings = PresetSettings("implicit", "small").of(ReconstructSurfacesSettings)
    torch.set_num_threads(CORES)
    decoder, known_codes = load_decoder(work / "model")
    starts = torch.stack(list(known_codes.values()))
    data = Dataset([work / "sdf"], "sdf")
    seen = [observe(data, sample.id, "samples", 0) for sample in data.of_split("test")[:8]]
    search = CodeSearch(settings.search_steps, settings.search_samples, settings.search_learning_rate)
    together, codes = timed(lambda: find_codes(decoder, seen, starts, search))
    alone, _ = timed(lambda: [find_codes(decoder, [one], starts, search) for one in seen])
    refined, fine = timed(lambda: [extract_surface(decoder, code, 256) for code in codes])
    started = time.perf_counter()
    full = [extract_surface(decoder, code, 256, coarsest=256) for code in codes]
    whole = time.perf_counter() - started
    apart = max(between_vertices(one, other) for one, other in zip(fine, full, strict=True))
    a_shape = (together + refined) / len(seen)
    figures = [
        ("Seconds a shape, code and surface at 256³, in a batch of 8", f"{a_shape:.2f}", "≤ 5", a_shape <= 5),
        ("The same codes one after the other, over in a batch", f"{alone / together:.2f}×", "≥ 1×", alone >= together),
        ("Extraction at 256³, whole grid over refined", f"{whole / refined:.1f}×", "≥ 8×", whole >= 8 * refined),
        ("Chamfer of the vertices of refined and whole grid, the worst of 8", f"{apart:.1g}", "≤ 0.001", apart <= 1e-3),
    ]  # fmt: skip
    print_figures(figures)
    names = ("implicit-seconds", "implicit-batch", "implicit-extraction", "implicit-extraction-equal")
    for name, (figure_of, measured, target, met) in zip(names, figures, strict=True):
        if recorded:
            record(name, "implicit", f"{figure_of}, `small`", measured, target=target, met=met,
                   command="python benchmarks/implicit.py speed runs/implicit/unseen")  # fmt: skip


@main.command()
@click.option("--shapes", default=1000, show_default=True)
@click.option("--work", type=click.Path(path_type=Path), default=Path("runs/implicit/sampling"))
@click.option("--record", "recorded", is_flag=True, help="Write the figure to benchmarks/results.")
def sampling(shapes: int, work: Path, recorded: bool) -> None:
    """Memory while many chairs are sampled, 500,000 points each, against that of 20."""
    settings, megabytes, seconds = SampleSdfSettings(workers=CORES), [], []
    for count in (20, shapes):
        write_chairs(work / f"{count}-meshes", {"train": range(count)})
        clock = Clock()
        sample_sdf(work / f"{count}-meshes", work / f"{count}-sdf", settings)
        seconds.append(clock.seconds() / count)
        megabytes.append([getrusage(who).ru_maxrss / 1024 for who in (RUSAGE_SELF, RUSAGE_CHILDREN)])
    (few, few_child), (many, many_child) = megabytes
    grown = max(many - few, many_child - few_child)
    measured = (
        f"{many:.0f} MB, the largest of {CORES} workers {many_child:.0f} MB; of 20 shapes {few:.0f} and {few_child:.0f}"
    )
    print(f"{measured}; {seconds[1]:.2f} s a shape", flush=True)
    if recorded:
        record(
            "implicit-sampling-memory", "implicit",
            f"Peak memory of `sample_sdf`, {shapes} procedural chairs, {settings.samples} samples each", measured,
            command=f"python benchmarks/implicit.py sampling --shapes {shapes}", details=f"{seconds[1]:.2f} s a shape",
            target="grows by less than 30 MB, a shape's samples being 8", met=grown < 30,
        )  # fmt: skip


def timed(work: Any) -> tuple[float, Any]:
    """The least of three times, and what came back."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - started)
    return min(seconds), found


def between_vertices(one: Mesh, other: Mesh) -> float:
    """The Chamfer distance × 1000 of two meshes' vertices."""
    trees = cKDTree(one.vertices), cKDTree(other.vertices)
    return float(1000 * sum(np.square(trees[a].query(trees[1 - a].data)[0]).mean() for a in (0, 1)))


def is_known(sample: Sample) -> bool:
    return sample.id.startswith(KNOWN)


def keep(meshes: Sequence[Path], target: Path, split_of: Callable[[str], Split | None]) -> None:
    """A dataset of some of the meshes of others, by their ids, in other splits."""
    data = Dataset(meshes, "meshes")
    with DatasetWriter(target, "meshes", "fetch", {}) as writer:
        for sample in data.samples:
            split = split_of(sample.id)
            if split:
                with TemporaryDirectory() as folder:
                    path = data.extract(sample.id, Path(folder))
                    writer.add_files(replace(sample, split=split), Path(folder), str(path.relative_to(folder)))
    data.close()


def split_with_copies_left_out(meshes: Sequence[Path]) -> dict[str, Split]:
    """Every third object of a class to test, the others to train, but for those that are near copies of test objects.

    A near copy: points of either surface are on the average less than 0.015 of the longest side away from the other
    (points of one surface from other points of it: 0.01).
    """
    data = Dataset(meshes, "meshes")
    trees = {}
    for sample in data.samples:
        with TemporaryDirectory() as folder:
            mesh = read_mesh(data.extract(sample.id, Path(folder)))
        placed = Mesh(transform(np.array(sample.canonical_from_file), mesh.vertices), mesh.faces)
        trees[sample.id] = cKDTree(points_on_surface(placed, 3000, np.random.default_rng(0)))
    data.close()
    classes: dict[str, list[str]] = {}
    for sample in data.samples:
        classes.setdefault(sample.class_name, []).append(sample.id)
    test = [name for names in classes.values() for name in sorted(names)[1::3]]
    rest = [name for name in trees if name not in test]

    def apart(one: str, other: str) -> float:
        return float(max(trees[a].query(trees[b].data)[0].mean() for a, b in ((one, other), (other, one))))

    copies = {name for name in rest if min(apart(name, one) for one in test) < 0.015}
    print(f"{len(test)} to test, {len(copies)} near copies of them left out: {', '.join(sorted(copies))}", flush=True)
    return {**dict.fromkeys(test, "test"), **dict.fromkeys(set(rest) - copies, "train")}


def write_chairs(target: Path, numbers: Mapping[Split, Sequence[int]]) -> None:
    """A dataset of procedural chairs."""
    with TemporaryDirectory() as files, DatasetWriter(target, "meshes", "fetch", {}) as writer:
        for split, some in numbers.items():
            for number in some:
                chair, folder = make_object("chair", number, 0), Path(files) / str(number)
                folder.mkdir()
                path = write_obj(chair, folder)
                matrix = canonical_from_bounds(chair.vertices.min(axis=0), chair.vertices.max(axis=0), "y")
                canonical = tuple(tuple(row) for row in matrix.tolist())
                sample = Sample(f"chair/{number:04d}", "chair", split, "procedural://", canonical_from_file=canonical)
                writer.add_files(sample, folder, path.name)


def train_and_measure(work: Path, preset: PresetSettings, begun: Clock) -> EvaluationTable:
    """Train unless there is a model, reconstruct, and measure; keeps how long it took, all of it since `begun`."""
    from components.evaluate_implicit import EvaluateImplicitSettings
    from components.evaluate_implicit.evaluate_implicit import evaluate_implicit
    from components.reconstruct_surfaces.reconstruct_surfaces import reconstruct_surfaces
    from components.train_deepsdf.train_deepsdf import train_deepsdf

    meshes, sdf = [work / "meshes"], [work / "sdf"]
    trained = not (work / "model" / "metrics.json").is_file()
    if trained:
        clock = Clock()
        settings = preset.of(TrainDeepsdfSettings, workers=CORES, checkpoints=str(work / "checkpoints"))
        figures = train_deepsdf(sdf, work / "model", settings).figures
        spent = {"minutes": clock.seconds() / 60, "minutes_of_two_cores": clock.minutes_of_two_cores()}
        (work / "spent.json").write_text(json.dumps({**spent, "steps": settings.steps, **figures}), encoding="utf-8")
    surfaces, between = work / "surfaces", work / "interpolations"
    reconstruct_surfaces(sdf, work / "model", surfaces, between, preset.of(ReconstructSurfacesSettings, workers=CORES))
    evaluate_implicit(meshes, sdf, surfaces, between, work / "model", work / "page.html", work / "evaluation",
                      EvaluateImplicitSettings())  # fmt: skip
    if trained:
        spent = json.loads((work / "spent.json").read_text(encoding="utf-8"))
        (work / "spent.json").write_text(json.dumps({**spent, "whole": begun.seconds() / 60}), encoding="utf-8")
    print(minutes(work), flush=True)
    return read_evaluation(work / "evaluation")[1]


def minutes(work: Path) -> str:
    """How long the training took, and everything from the meshes to the figures."""
    spent = json.loads((work / "spent.json").read_text(encoding="utf-8"))
    whole = f", everything {spent['whole']:.1f}" if "whole" in spent else ""
    took = f"{spent['minutes']:.1f} minutes, {spent['minutes_of_two_cores']:.1f} of two cores' time"
    return f"{spent['steps']} steps in {took}{whole}"


def named(network: str, changed: Sequence[str]) -> str:
    """The preset, and what of it was another."""
    return f"`{network}`" + (f" with {', '.join(changed)}" if changed else "")


def command(what: str, network: str, changed: Sequence[str]) -> str:
    """The command line that measures it again."""
    preset = "" if network == "small" else f" --network {network}"
    return f"python benchmarks/implicit.py {what}{preset}" + "".join(f" --set {change}" for change in changed)


def chamfer(table: EvaluationTable, method: str) -> NDArray[np.float64]:
    return np.array([row.value for row in table.rows(method, "chamfer")])


def median_with_interval(values: Sequence[float] | NDArray[np.float64]) -> str:
    drawn = np.median(np.random.default_rng(0).choice(values, (10_000, len(values))), axis=1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return f"{np.median(values):.3f} [{low:.3f}, {high:.3f}]"


def median_and_mean(values: Sequence[float] | NDArray[np.float64]) -> str:
    """The mean as well: it tells of the few that fail."""
    return f"{median_with_interval(values)}, mean {np.mean(values):.3f}"


def over_nearest(table: EvaluationTable, name: str) -> dict[str, Any]:
    return table.difference("chamfer", (name, None), (f"nearest_{name}", None))._asdict()


def interval(found: dict[str, Any]) -> str:
    return f"{found['difference']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"


def print_table(table: EvaluationTable, inputs: Iterable[str]) -> None:
    for name in inputs:
        for method in (name, f"nearest_{name}"):
            found = {measure: [row.value for row in table.rows(method, measure)] for measure in MEASURES}
            if found["chamfer"]:
                means = "  ".join(f"{measure} {np.mean(values):.3f}" for measure, values in found.items() if values)
                print(f"{method:20} {len(found['chamfer'])} objects, median {median_with_interval(found['chamfer'])}"
                      f", means: {means}")  # fmt: skip
        if table.rows(f"nearest_{name}", "chamfer"):
            print(f"{'':20} over nearest {interval(over_nearest(table, name))}", flush=True)


if __name__ == "__main__":
    main()
