"""A small experiment, which several tests run whole, in shares and with an interruption."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from evaluation.benchmark import runner
from evaluation.benchmark.experiment import Experiment
from evaluation.benchmark.rows import ablation_rows, method_rows
from evaluation.benchmark.shares import ALL, Share
from evaluation.benchmark.tally import Tally
from gclip_core.methods import gclip
from gclip_core.segmenter import Segmenter
from tests.evaluation.sets import plain_set
from tests.models import look_at_one_patch, tiny_backbone

PICTURES = 6


def small_experiment(n: int = PICTURES, stuck_at: int = PICTURES) -> Experiment:
    """A seeded tiny CLIP on small random pictures."""
    backbone = tiny_backbone(prepare=lambda model: look_at_one_patch(model, range(5, 12)))
    segmenter = Segmenter(backbone, short_side=32, templates="plain")
    dataset = plain_set(n)
    stuck = [replace(s, load=lambda: time.sleep(900)) for s in dataset.samples[stuck_at:]]
    dataset = replace(dataset, samples=(*dataset.samples[:stuck_at], *stuck))
    rows = (*method_rows(["clip", "clearclip", "gclip"], gclip), *ablation_rows(gclip))
    return Experiment(segmenter, dataset, rows, "present+3")


def run_small(folder: Path, share: Share = ALL, n: int = PICTURES) -> Tally:
    """Evaluate a share of the small experiment."""
    return runner.run(small_experiment(n), folder, share, show_progress=False)


def assert_same(tally: Tally, wanted: Tally) -> None:
    """The same counts, to the last pixel, of the same images with the same settings."""
    assert tally.settings == wanted.settings
    assert np.array_equal(tally.counts, wanted.counts)
    assert tally.image_miou.keys() == wanted.image_miou.keys()
    for image, values in wanted.image_miou.items():
        assert np.array_equal(tally.image_miou[image], values, equal_nan=True)
