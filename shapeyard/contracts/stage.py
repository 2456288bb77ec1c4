"""What a stage says of itself: its settings, its artifacts, its stack, and what it asks of a cluster.

A stage's package holds one `STAGE` and one frozen dataclass of settings. All else follows from them: the typed spec
that KFP reads (`component.py`), the command line, the pipelines' parameters, the compose services, tables in the docs.

    @dataclass(frozen=True)
    class VoxelizeSettings(Settings):
        resolution: Annotated[int, Range(ge=8, le=256)] = 64
        \"\"\"Voxels along the object's longest side.\"\"\"

A setting has its name, its type, its default, its range and one line of text, each written once.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import math
import sys
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from typing import Annotated, Any

from shapeyard.errors import ParameterError


@dataclass(frozen=True)
class Range:
    """The numbers that a setting may have: finite, at least `ge` or above `gt`, at most `le` or below `lt`."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int | float) or not math.isfinite(value):
            return False
        return (
            (self.ge is None or value >= self.ge)
            and (self.gt is None or value > self.gt)
            and (self.le is None or value <= self.le)
            and (self.lt is None or value < self.lt)
        )

    def __str__(self) -> str:
        lower = f"above {self.gt:g}" if self.gt is not None else None if self.ge is None else f"{self.ge:g}"
        upper = f"below {self.lt:g}" if self.lt is not None else None if self.le is None else f"{self.le:g}"
        if upper is None:
            return f"{lower} or more" if self.ge is not None else str(lower)
        if lower is None:
            return f"at most {upper}" if self.le is not None else upper
        return f"{lower} to {upper}"


@dataclass(frozen=True)
class OneOf:
    """The words or numbers that a setting may be."""

    values: tuple[str | int, ...]

    def __contains__(self, value: object) -> bool:
        return value in self.values

    def __str__(self) -> str:
        *others, last = map(str, self.values)
        return f"{', '.join(others)} or {last}" if others else last


class _NoEffect:
    """Marks a setting that changes how long a result takes and not what it is."""


NO_EFFECT = _NoEffect()
PositiveInt = Annotated[int, Range(ge=1)]
NonNegativeInt = Annotated[int, Range(ge=0)]
PositiveFloat = Annotated[float, Range(gt=0)]
NonNegativeFloat = Annotated[float, Range(ge=0)]
Share = Annotated[float, Range(ge=0, le=1)]
"""0 to 1."""


@dataclass(frozen=True)
class Settings:
    """The base of every stage's settings: they are checked when they are made.

    Raises:
        ParameterError: for a value of another type or out of its range.
    """

    def __post_init__(self) -> None:
        for name, setting in settings_of(type(self)).items():
            setting.check(getattr(self, name))
        self.check()

    def check(self) -> None:
        """Raise `ParameterError` for settings that do not go together."""

    def hyperparameters(self) -> dict[str, Any]:
        """The settings that decide what comes out, as JSON values."""
        return {name: getattr(self, name) for name, one in settings_of(type(self)).items() if one.has_effect}


@dataclass(frozen=True)
class Setting:
    """One setting as it was declared."""

    name: str
    type: type
    default: Any
    """`MISSING` where one has to be given"""
    allowed: Range | OneOf | None
    has_effect: bool
    """whether the result depends on it"""
    field: tuple[Any, str]
    """where it is declared: the dataclass, and the field's name there"""

    @property
    def text(self) -> str:
        """The string below the field, as one line; read from the source when it is asked for."""
        declared, name = self.field
        return _texts(declared).get(name, "")

    def check(self, value: Any) -> None:
        """Raise `ParameterError` for a value of another type or out of range."""
        kinds = (int, float) if self.type is float else (self.type,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and self.type is not bool):
            raise ParameterError(f"{self.name}: expected a value of type {self.type.__name__}, got {value!r}")
        if self.allowed is not None and value not in self.allowed:
            raise ParameterError(f"{self.name}: expected {self.allowed}, got {value}")


def settings_of(declared: type[Settings]) -> dict[str, Setting]:
    """The settings of a dataclass: its own in the order in which they are declared, then those of its bases."""
    kind: type = declared
    return _settings_of(kind)


@cache
def _settings_of(declared: type) -> dict[str, Setting]:
    hints = typing.get_type_hints(declared, include_extras=True)
    there = {one.name: one for one in fields(declared)}
    names = dict.fromkeys(name for part in declared.__mro__ for name in inspect.get_annotations(part))
    return {name: _setting(declared, there[name], hints[name]) for name in names if name in there}


def _setting(declared: type, one: Field[Any], hint: Any) -> Setting:
    kind: Any = hint
    notes: tuple[Any, ...] = ()
    while typing.get_origin(kind) is Annotated:
        kind, *more = typing.get_args(kind)
        notes = (*notes, *more)
    allowed = next((note for note in notes if isinstance(note, Range | OneOf)), None)
    return Setting(one.name, kind, one.default, allowed, NO_EFFECT not in notes, (declared, one.name))


@cache
def _texts(declared: type) -> dict[str, str]:
    """The strings below the fields of a class and its bases, each as one line."""
    texts: dict[str, str] = {}
    for part in reversed(declared.__mro__):
        if issubclass(part, Settings) and part is not Settings:
            texts |= _texts_of_module(part.__module__).get(part.__qualname__, {})
    return texts


@cache
def _texts_of_module(module: str) -> dict[str, dict[str, str]]:
    """For each class of a module, also of those inside functions, by its qualified name."""
    found: dict[str, dict[str, str]] = {}

    def visit(node: ast.AST, place: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                found[f"{place}{child.name}"] = _texts_in(child)
                visit(child, f"{place}{child.name}.")
            elif isinstance(child, ast.FunctionDef):
                visit(child, f"{place}{child.name}.<locals>.")

    visit(ast.parse(inspect.getsource(sys.modules[module])), "")
    return found


def _texts_in(node: ast.ClassDef) -> dict[str, str]:
    texts = {}
    for statement, following in itertools.pairwise(node.body):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                texts[name] = " ".join(text.split())
    return texts


@dataclass(frozen=True)
class Artifact:
    """An input or output of a stage."""

    schema: str
    """KFP's name of it: Dataset, Model, Metrics, ClassificationMetrics, HTML or Artifact; dict: an item of `plan`;
    list: what all iterations of the loop returned"""
    text: str
    many: bool = False
    """an input that is one a shard: from `gather` in a pipeline, given several times on the command line"""
    optional: bool = False


@dataclass(frozen=True)
class Resources:
    """What a stage asks of a cluster, in Kubernetes' quantities."""

    cpu: tuple[str, str] = ("1", "4")
    """request and limit, in cores"""
    memory: tuple[str, str] = ("2Gi", "8Gi")
    """request and limit; what lies in shared memory counts as well"""
    hours: float = 4
    """that one attempt may take once it has a node"""
    retries: int = 2
    """attempts after the first"""
    shared_memory: str = ""
    """size of /dev/shm, for the processes that load a training's examples; empty: the runtime's 64 MB"""


@dataclass(frozen=True)
class Stage:
    """A stage: the package that declares it has its name, and its docstring says what it does."""

    stack: str
    """a lock file in requirements/ and a Dockerfile in docker/"""
    settings: type[Settings]
    inputs: Mapping[str, Artifact] = field(default_factory=dict)
    outputs: Mapping[str, Artifact] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)
    can_render_on_gpu: bool = False
    accelerated: bool = False
    """whether it runs a network that it does not train on an accelerator, where there is one"""
    gives_items: bool = False
    """whether a loop runs over what it returns"""

    @property
    def uses_accelerator(self) -> bool:
        """Whether it runs on an accelerator where there is one: every training does."""
        return self.accelerated or "checkpoints" in settings_of(self.settings)

    @property
    def reads_shards(self) -> bool:
        """Whether it reads the datasets of all shards, from where they are."""
        return any(one.many for one in self.inputs.values())

    @property
    def uses_bucket(self) -> bool:
        """Whether it talks to a bucket: the one that the meshes come from, or that checkpoints go to."""
        return bool({"source", "checkpoints"} & settings_of(self.settings).keys()) or "shard" in self.inputs

    @property
    def in_loop(self) -> bool:
        """Whether it runs once a shard: on an item of `plan`, or on the meshes of one."""
        return "shard" in self.inputs or ("meshes" in self.inputs and not self.inputs["meshes"].many)


def required(setting: Setting) -> bool:
    """Whether a setting has no default."""
    return setting.default is MISSING


@dataclass(frozen=True)
class ShardSettings(Settings):
    """What the stages that work on one object after the other have in common."""

    workers: Annotated[int, Range(ge=0), NO_EFFECT] = 0
    """Cores to work on; 0 for all that the process may use."""
    max_skipped: Annotated[float, Range(ge=0, le=1), NO_EFFECT] = 0.5
    """Share of the objects that may be skipped before the stage fails, 0 to 1."""


@dataclass(frozen=True)
class MeshSettings(ShardSettings):
    """What the stages that read meshes have in common."""

    max_triangles: PositiveInt = 2_000_000
    """Triangles of an object above which it is skipped."""


@dataclass(frozen=True)
class LimitedSettings(Settings):
    """What the stages have in common that work on objects in processes of their own."""

    object_seconds: Annotated[float, Range(gt=0), NO_EFFECT] = 120.0
    """Seconds of work on an object after which it is skipped."""
    object_gigabytes: Annotated[float, Range(gt=0), NO_EFFECT] = 4.0
    """Memory of the process that works on an object above which it is skipped, in GB."""
