"""Emoji scenes as a data set: always at hand, made from seeds while they are evaluated."""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation.class_lists import ClassName, checked
from evaluation.datasets import OpenSet, Sample
from gclip_core import scenes
from gclip_core.errors import EvaluationError
from gclip_core.types import Grid

SCENES = "scenes"
"""What this data set is called."""

FIRST_SEED = 1_000_000
"""Where the evaluation's seeds begin: far from those that training draws."""


def scene_set(n: int, style: str, size: Grid, first_seed: int = FIRST_SEED) -> OpenSet:
    """``n`` scenes of a style, ``size`` (height, width) in pixels, seeds from ``first_seed``."""
    if n < 1:
        raise EvaluationError(f"At least one scene was expected, but {n} came.")
    scenes.compose(first_seed, size, style)  # a wrong style or size is refused here, not later
    words = (*scenes.things(), *scenes.backgrounds())
    classes = checked(tuple(ClassName(word.name, (word.name,)) for word in words), "the scenes")
    index = {c.name: i for i, c in enumerate(classes)}
    where = f"{style}-{size[0]}x{size[1]}"
    return OpenSet(
        name="scenes",
        title=f"Scenes ({style})",
        classes=classes,
        samples=tuple(
            Sample(f"{where}-{seed}", partial(_load, seed, size, style, index))
            for seed in range(first_seed, first_seed + n)
        ),
        background=None,
        source=f"emoji scenes, {where}, seeds {first_seed} to {first_seed + n - 1}",
    )


def _load(
    seed: int, size: Grid, style: str, index: dict[str, int]
) -> tuple[Image.Image, NDArray[np.int16]]:
    scene = scenes.compose(seed, size, style)
    table = np.array([index[word] for word in scene.words], np.int16)
    return scene.image, table[np.asarray(scene.labels)]
