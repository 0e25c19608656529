"""Runs one evaluation: each image is encoded once, and every row is computed from that."""

import platform
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from evaluation import metric
from evaluation.benchmark.experiment import Experiment
from evaluation.benchmark.rows import computation
from evaluation.benchmark.shares import ALL, Share
from evaluation.benchmark.tally import Tally, resume
from evaluation.errors import EvaluationError
from evaluation.metric import IGNORE, Counts
from evaluation.queries import queried_classes
from evaluation.samples import Sample
from gclip_core.refine import refined
from gclip_core.types import Method
from gclip_core.version import __version__

SAVE_EVERY_S = 30.0


def run(
    experiment: Experiment,
    folder: Path,
    share: Share = ALL,
    save_every: float = SAVE_EVERY_S,
    show_progress: bool = True,
) -> Tally:
    """Evaluate a share of a set and save the counts; images already counted in ``folder`` are kept.

    If the process is killed, at most ``save_every`` seconds of work are lost.
    """
    samples = experiment.dataset.samples
    tally = resume(folder, experiment.as_json())
    mine = range(share.index, len(samples), share.count)
    left = [index for index in mine if index not in tally.image_miou]
    here = environment(experiment.segmenter.backbone.device)
    if left and here not in tally.environments:
        tally.environments.append(here)
    bar = tqdm(
        total=len(mine),
        initial=len(mine) - len(left),
        desc=experiment.dataset.title,
        unit="image",
        disable=not show_progress,
        mininterval=0.5 if sys.stderr.isatty() else 30.0,
        file=sys.stderr,
    )
    saved = time.monotonic()
    try:
        for index in left:
            begun = time.monotonic()
            counts = count_image(experiment, samples[index])
            miou = np.array([metric.scores(row).miou for row in counts])
            tally.add(index, counts, miou, time.monotonic() - begun)
            bar.update()
            if time.monotonic() - saved >= save_every:
                tally.save(folder)
                saved = time.monotonic()
    finally:
        bar.close()
        tally.save(folder)
    return tally


def count_image(experiment: Experiment, sample: Sample) -> Counts:
    """Confusion matrices of every row on one image, (rows, C, C+1)."""
    classes, background = experiment.dataset.classes, experiment.dataset.background
    image, truth = sample.load()
    words = queried_classes(truth, classes, experiment.words, sample.name, background)
    if not words:  # every pixel of this image is ignored
        return np.zeros((len(experiment.rows), len(classes), len(classes) + 1), np.int64)
    # The last entry is for label -1: a pixel below the threshold.
    class_of = np.array([*words, IGNORE if background is None else background], np.int16)
    by_method: dict[Method, Counts] = {}
    for method, labels in _segmentations(experiment, image, words):
        predicted = class_of[labels]
        if predicted.shape != truth.shape:
            raise EvaluationError(
                f"{sample.name}: a truth of the image's size {predicted.shape} was expected, but "
                f"{truth.shape} came (height, width); check that both files are of one picture."
            )
        by_method[method] = metric.confusion(truth, predicted, len(classes))
    return np.stack([by_method[computation(row.method)] for row in experiment.rows])


def _segmentations(
    experiment: Experiment, image: Image.Image, words: Sequence[int]
) -> Iterator[tuple[Method, NDArray[np.integer]]]:
    """Labels (H, W) of an image as indices into ``words``, once for each computation."""
    segmenter, vocabulary = experiment.segmenter, experiment.dataset.vocabulary(words)
    encoded = segmenter.encode(image)
    suppressed = {None: encoded}  # the upper blocks run once for each suppression
    for method in dict.fromkeys(computation(row.method) for row in experiment.rows):
        if method.suppression not in suppressed:
            suppressed[method.suppression] = segmenter.suppress(encoded, method)
        plain = segmenter.segment(
            suppressed[method.suppression], vocabulary, method, threshold=experiment.threshold
        )
        labels = refined(plain, image, experiment.refine, bounded=False).labels
        yield method, labels.cpu().numpy()


def environment(device: torch.device) -> dict[str, str]:
    """Versions and device that compute a result."""
    is_cuda = device.type == "cuda"
    return {
        "gclip": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "open_clip": open_clip.__version__,
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "device": torch.cuda.get_device_name(device) if is_cuda else device.type,
    }
