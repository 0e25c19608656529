"""Counts the pixels of each method on a labelled set, image by image: the evaluation's loop.

A run is a folder: ``settings.json`` has everything that determines the results, and ``images/`` has
a small file for each counted image. A restarted run counts the remaining images, and several
processes can share them. ``read_result`` adds up the files.
"""

import io
import json
import re
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import PIL
import torch
from numpy.typing import NDArray
from tqdm import tqdm

import gclip_core
from evaluation import EvaluationError, metric, sliding
from evaluation.datasets import LabelledSet, Sample
from evaluation.metric import IGNORE, Counts
from gclip_core.folder import write
from gclip_core.methods import ABLATION, Method, gclip
from gclip_core.numbering import block_numbers
from gclip_core.pixels import images, masks
from gclip_core.pixels.refine import refined
from gclip_core.relatives import METHODS
from gclip_core.segmenter import Segmenter

COUNTING = ("benchmark.py", "datasets.py", "metric.py", "photos.py", "sliding.py")
"""The modules of this package that determine counts, as the whole core does."""

# --- the rows of the table -----------------------------------------------------------------------


def chosen_methods(
    names: Iterable[str], ablate: bool = False, **settings: Any
) -> tuple[Method, ...]:
    """The METHODS with these names, then, for ``ablate``, ABLATION with ClearCLIP as its first row.

    ``settings`` are those of GCLIP, as in ``gclip_core.methods.gclip``.
    """
    both = gclip(**settings)
    methods = [both if name == both.name else METHODS[name] for name in dict.fromkeys(names)]
    if ablate:
        ablation = [gclip(amf=amf, cs=cs, **settings) for amf, cs in ABLATION.values()]
        ablation[0] = METHODS["clearclip"]  # exactly GCLIP with neither
        methods = [method for method in methods if method not in ablation] + ablation
    return tuple(methods)


def method_settings(method: Method) -> dict[str, Any]:
    """A method's settings as plain data; blocks count from 1."""
    plain = asdict(method)
    del plain["summary"], plain["paper"]
    plain["last"]["kind"] = type(method.last).__name__
    for part in (plain["last"].get("fusion"), plain["suppression"]):
        if part and isinstance(part.get("blocks"), tuple):
            part["blocks"] = block_numbers(part["blocks"])
    # JSON has lists where Python has tuples; a function has its name.
    return json.loads(json.dumps(plain, default=lambda f: getattr(f, "__qualname__", str(type(f)))))


# --- a run ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Experiment:
    """One evaluation: a segmenter, a data set, and the methods, each a row of the table.

    ``words`` is the rule for the classes of each image (``queried``). ``refine`` is "none" or a
    name in ``refine.REFINEMENTS``. Of the set's protocol, ``short_side`` is the segmenter's.
    ``own_code`` are files that methods or the set come from. Raises EvaluationError for an unknown
    rule.
    """

    segmenter: Segmenter
    dataset: LabelledSet
    methods: tuple[Method, ...]
    words: str = "all"
    refine: str = "none"
    own_code: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"all|present(\+\d{1,4})?", self.words):
            raise EvaluationError(
                f"The words must be 'all', 'present' or 'present+10', not '{self.words}'."
            )

    def settings(self) -> dict[str, Any]:
        """Everything that determines the results, as plain data; blocks count from 1.

        ``fingerprint`` is a digest of the images and their truth, ``weights`` that of the backbone;
        a ``window`` of 0 means one pass. ``code`` is the ``code_digest``, so that counts from
        different code are never added.
        """
        segmenter, dataset, backbone = self.segmenter, self.dataset, self.segmenter.backbone
        plain = {
            "dataset": dataset.name,
            "title": dataset.title,
            "source": dataset.source,
            "split": dataset.split,
            "images": len(dataset.samples),
            "fingerprint": dataset.fingerprint,
            "classes": [asdict(name) for name in dataset.classes],
            "words": self.words,
            "background": dataset.background,
            **asdict(dataset.protocol),
            "refine": self.refine,
            "backbone": backbone.name,
            "backbone_title": backbone.title,
            "weights": backbone.digest,
            "dtype": str(backbone.dtype).removeprefix("torch."),
            "short_side": segmenter.short_side or backbone.short_side,
            "max_patches": segmenter.max_patches,
            "templates": segmenter.templates,
            "logit_scale": segmenter.logit_scale,
            "methods": [method_settings(method) for method in self.methods],
            "device": backbone.device.type,
            "version": gclip_core.__version__,
            "code": code_digest(self.own_code),
            "torch": torch.__version__,
            "open_clip": open_clip.__version__,
            "pillow": PIL.__version__,
        }
        return json.loads(json.dumps(plain))

    def queried(self, name: str, truth: NDArray) -> tuple[int, ...]:
        """Indices of the classes that compete in the image ``name``, in ascending order.

        ``all`` are all classes, as in benchmarks. ``present`` are the background, if there is one,
        and the classes in the ground truth, which tests localisation without recognition.
        ``present+n`` adds ``n`` other classes, chosen by a hash of the image's and the class's
        names, so that they are the same on every machine.
        """
        classes, background = self.dataset.classes, self.dataset.background
        every, present = range(len(classes)), {*np.unique(truth[truth >= 0]).tolist()}
        if self.words == "all":
            return tuple(every)
        if background is not None:
            present.add(background)
        others = sorted(
            {*every} - present,
            key=lambda c: blake2b(f"{name}\n{classes[c].name}".encode()).digest(),
        )
        return tuple(sorted(present.union(others[: int(self.words.partition("+")[2] or 0)])))


@cache
def code_digest(own: tuple[Path, ...]) -> str:
    """A digest of 12 hexadecimal digits of the code and the word lists that determine counts, with
    ``own`` files."""
    core, here = Path(gclip_core.__file__).parent, Path(__file__).parent
    files = [
        *sorted((*core.rglob("*.py"), *core.rglob("*.txt"))),
        *(here / name for name in COUNTING),
        *own,
    ]
    return blake2b(b"".join(file.read_bytes() for file in files), digest_size=6).hexdigest()


def digest(settings: dict[str, Any]) -> str:
    """A digest of 12 hexadecimal digits of an experiment's settings."""
    text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
    return blake2b(text.encode(), digest_size=6).hexdigest()


def run(experiment: Experiment, folder: Path, rank: int = 0, world: int = 1) -> None:
    """Counts the images missing in ``folder``; each of ``world`` processes takes every n-th.

    The first process, with rank 0, returns once the others' images are counted, too. Raises
    EvaluationError if the folder belongs to a run with other settings.
    """
    _claim(folder, experiment.settings())
    samples = experiment.dataset.samples
    files = {index: _image_file(folder, index) for index in range(rank, len(samples), world)}
    missing = {index: file for index, file in files.items() if not file.is_file()}
    progress = tqdm(
        missing.items(),
        total=len(files),
        initial=len(files) - len(missing),
        desc=experiment.dataset.title,
        unit="image",
        disable=rank > 0,
    )
    for index, file in progress:
        counts = count_image(experiment, samples[index])
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            cells=np.column_stack([*counts.nonzero(), counts[counts > 0]]),
            miou=[metric.iou_scores(row).miou for row in counts],
        )
        write(file.parent, {file.name: buffer.getvalue()})
    while rank == 0 and not all(_image_file(folder, i).is_file() for i in range(len(samples))):
        time.sleep(0.5)


def _claim(folder: Path, settings: dict[str, Any]) -> None:
    """Writes a run's settings to its folder, or compares them with those that are there."""
    file = folder / "settings.json"
    if not file.exists() and not any((folder / "images").glob("*.npz")):
        content = json.dumps(settings, indent=1, ensure_ascii=False).encode()
        write(folder, {file.name: content})
    saved = _read_settings(folder)
    differences = [
        key if isinstance(here, list) else f"{key}: {here} here, {there} there"
        for key in {**settings, **saved}
        if (here := settings.get(key)) != (there := saved.get(key))
    ]
    if differences:
        raise EvaluationError(
            f"The folder {folder} is of a run with other settings ({'; '.join(differences)}). Name "
            "another folder with --out, or delete this one."
        )


def _read_settings(folder: Path) -> dict[str, Any]:
    file = folder / "settings.json"
    if folder.is_dir() and not file.exists() and not (folder / "images").exists():
        raise EvaluationError(f"{folder} has no run; name the folders in it.")
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(
            f"The settings.json of the run in {folder} cannot be read ({error}). Name another "
            "folder, or delete this one and run the same command again."
        ) from error


def _image_file(folder: Path, index: int) -> Path:
    return folder / "images" / f"{index:06d}.npz"


# --- one image -----------------------------------------------------------------------------------


def count_image(experiment: Experiment, sample: Sample) -> Counts:
    """Confusion matrices of one image, (methods, C, C+1).

    Each window is encoded once; the later blocks run once for each setting of CS.
    """
    segmenter, dataset = experiment.segmenter, experiment.dataset
    given, truth = sample.load()
    n, none = len(dataset.classes), dataset.background
    queried = experiment.queried(sample.name, truth)
    if not queried:  # every pixel of this image is ignored
        return np.zeros((len(experiment.methods), n, n + 1), np.int64)
    # The last entry is for label -1, pixels below the threshold.
    class_of = np.array([*queried, IGNORE if none is None else none], np.int16)
    prompts = segmenter.prompts(dataset.vocabulary(queried))
    classes, protocol = prompts.vocabulary.prompt_classes, dataset.protocol
    image = images.check(given)
    windows, counts = sliding.encode(segmenter, image, protocol.window, protocol.stride), []
    for method in experiment.methods:
        logits = segmenter.logit_scale * prompts.cosines(windows.features(method))
        if experiment.refine == "none":
            labels = masks.labels(logits, classes, truth.shape, protocol.threshold)
        else:
            labels = refined(logits, classes, image, experiment.refine, protocol.threshold)
        counts.append(metric.confusion(truth, class_of[labels.numpy()], n))
    return np.stack(counts)


# --- the sum -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Result:
    """The sum over the images that were counted.

    ``counts`` is (methods, C, C+1) int64; ``image_miou`` (images, methods) float64 is each image's
    own mean IoU.
    """

    settings: dict[str, Any]
    counts: Counts
    image_miou: NDArray[np.float64]

    @property
    def complete(self) -> bool:
        """Whether every image of the set was counted."""
        return len(self.image_miou) == self.settings["images"]


def read_result(folder: Path) -> Result:
    """Adds up the images of a run. Raises EvaluationError if it has no result or a damaged one."""
    settings, file = _read_settings(folder), folder / "settings.json"
    try:
        n_methods, n = len(settings["methods"]), len(settings["classes"])
        counts, miou = np.zeros((n_methods, n, n + 1), np.int64), []
        for index in range(settings["images"]):
            file = _image_file(folder, index)
            if file.is_file():
                with np.load(file, allow_pickle=False) as image:
                    methods, true, predicted, pixels = image["cells"].T
                    counts[methods, true, predicted] += pixels
                    miou.append(image["miou"])
    except Exception as error:  # zip and NumPy raise different errors for a damaged file
        raise EvaluationError(
            f"{file} is damaged ({error!r}); delete it and run the same command again."
        ) from error
    return Result(settings, counts, np.array(miou, np.float64).reshape(len(miou), n_methods))
