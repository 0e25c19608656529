"""Runs one evaluation: every image once through the tower, every row from that one trunk."""

import platform
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from evaluation import metric
from evaluation.asking import asked
from evaluation.datasets import Sample
from evaluation.errors import EvaluationError
from evaluation.experiment import Experiment
from evaluation.metric import IGNORE, Counts
from evaluation.rows import computation
from evaluation.shares import Share
from evaluation.tally import Tally, resume
from gclip_core.types import Encoded, Vocabulary
from gclip_core.version import __version__

SAVE_EVERY_S = 30.0
READ_AHEAD = 4

Item = TypeVar("Item")
Made = TypeVar("Made")


def run(
    experiment: Experiment,
    folder: Path,
    share: Share = (0, 1),
    save_every: float = SAVE_EVERY_S,
    show_progress: bool = True,
) -> Tally:
    """Evaluate a share of a set, going on where ``folder`` left off, and save what was counted.

    ``share`` is every n-th image. Whatever stops the run, at most ``save_every`` seconds of work
    are lost.
    """
    segmenter, dataset = experiment.segmenter, experiment.dataset
    tally = resume(folder, experiment.as_json())
    mine = range(share[0], len(dataset.samples), share[1])
    left = [i for i in mine if i not in tally.image_miou]
    here = environment(segmenter.backbone.device)
    if left and here not in tally.environments:
        tally.environments.append(here)
    bar = tqdm(
        total=len(mine),
        initial=len(mine) - len(left),
        desc=dataset.title,
        unit="image",
        disable=not show_progress,
        mininterval=0.5 if sys.stderr.isatty() else 30.0,
        file=sys.stderr,
    )
    saved = time.monotonic()
    try:
        for index, (image, truth) in ahead(left, lambda i: dataset.samples[i].load()):
            begun = time.monotonic()
            encoded = segmenter.encode(image)
            counts = count_image(experiment, dataset.samples[index], encoded, truth)
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


def count_image(
    experiment: Experiment, sample: Sample, encoded: Encoded, truth: NDArray[np.int16]
) -> Counts:
    """Confusion matrices of every row on one image, (rows, C, C+1): one trunk for all."""
    segmenter = experiment.segmenter
    classes, background = experiment.dataset.classes, experiment.dataset.background
    words = asked(truth, classes, experiment.words, sample.name, background)
    if not words:  # nothing in this image is counted
        return np.zeros((len(experiment.rows), len(classes), len(classes) + 1), np.int64)
    vocabulary = Vocabulary(tuple(classes[c].phrases for c in words))
    under = IGNORE if background is None else background
    table = np.array([*words, under], np.int16)  # label -1, under the threshold, is the last
    trunks = {None: encoded}  # the upper blocks run once for each way of suppressing them
    made: dict[tuple[Any, ...], Counts] = {}
    for row in experiment.rows:
        key, suppression = computation(row.method), row.method.suppression
        if key not in made:
            if suppression not in trunks:
                trunks[suppression] = segmenter.suppress(encoded, row.method)
            found = segmenter.segment(
                trunks[suppression], vocabulary, row.method, threshold=experiment.threshold
            )
            labels = at_size(table[found.labels.cpu().numpy()], truth.shape, sample)
            made[key] = metric.confusion(truth, labels, len(classes))
    return np.stack([made[computation(row.method)] for row in experiment.rows])


def at_size(labels: NDArray[np.int16], shape: tuple[int, ...], sample: Sample) -> NDArray[np.int16]:
    """Labels (H, W) at the truth's size, by the nearest pixel; refused where they cannot be its."""
    if labels.shape == shape:
        return labels
    (height, width), (to_height, to_width) = labels.shape, shape
    # A resized picture has its sides rounded to whole pixels, no more.
    if abs(height * to_width - width * to_height) > max(height, width, to_height, to_width):
        raise EvaluationError(
            f"{sample.name}: the image is {height} × {width} but its truth {to_height} × "
            f"{to_width} (height × width); they are not of one picture."
        )
    rows = (np.arange(to_height) * 2 + 1) * height // (2 * to_height)
    columns = (np.arange(to_width) * 2 + 1) * width // (2 * to_width)
    return labels[rows[:, None], columns[None]]


def ahead(items: Iterable[Item], make: Callable[[Item], Made]) -> Iterator[tuple[Item, Made]]:
    """``(item, make(item))`` in order, a few of them made in the background meanwhile."""
    waiting: deque[tuple[Item, Future[Made]]] = deque()
    with ThreadPoolExecutor(max_workers=2) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(make, item)))
                if len(waiting) > READ_AHEAD:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def environment(device: torch.device) -> dict[str, str]:
    """Versions and hardware that produced a result."""
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
