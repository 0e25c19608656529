"""A segmentation in the formats of other tools: COCO, supervision, YOLO, LabelMe, and cut-outs.

``pycocotools`` writes COCO's runs, and ``supervision`` finds polygons; both are optional.
"""

from collections.abc import Collection, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from gclip_core.errors import GclipError, check_between
from gclip_core.pixels.masks import connected_parts, mean_scores
from gclip_core.pixels.refine import cut_out

if TYPE_CHECKING:  # it imports this module
    from gclip_core.result import Segmentation


def optional(module: str, purpose: str) -> Any:
    """An optional module. Raises GclipError if it is not installed."""
    try:
        with catch_warnings(action="ignore"):  # supervision's, without OpenCV
            return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise GclipError(
            f"{purpose} needs {package}, which is not installed: pip install {package}."
        ) from error


def regions(
    result: "Segmentation", objects: float | None = None
) -> Iterator[tuple[int, NDArray[np.bool_], float, list[int]]]:
    """Each class that has pixels: its index, mask (height, width), score and box.

    With ``objects``, each connected part of a class instead, if it covers at least this share of
    the image: things that touch are one, and a thing that is cut in two is two. The score is the
    mean of the class's probability on the pixels; the box is left, top, right and bottom, the
    latter two exclusive. Raises GclipError for a share that is none.
    """
    numbers, classes = result.labels.numpy().astype(np.intp), range(len(result.vocabulary))
    if objects is not None:
        check_between("objects", objects, 0, 1)
        numbers, classes = _things(numbers, objects * numbers.size)
    scores = mean_scores(
        result.logits, result.prompt_classes, result.labels, torch.from_numpy(numbers)
    )
    for number, found in enumerate(ndimage.find_objects(numbers + 1)):
        if found is not None:
            rows, columns = found
            box = [columns.start, rows.start, columns.stop, rows.stop]
            yield classes[number], numbers == number, scores[number], box


def _things(labels: NDArray[np.intp], least: float) -> tuple[NDArray[np.intp], list[int]]:
    """The connected parts of all classes that have at least ``least`` pixels, numbered from 0, else
    -1, and the class of each."""
    numbers, classes = np.full_like(labels, -1), list[int]()
    for index in np.unique(labels[labels >= 0]).tolist():
        parts = connected_parts(labels == index, corners=True)
        for part, area in enumerate(np.bincount(parts.flat)[1:], 1):
            if area >= least:
                numbers[parts == part] = len(classes)
                classes.append(index)
    return numbers, classes


def coco(
    result: "Segmentation",
    file_name: str = "image",
    *,
    polygons: bool = False,
    crowd: Collection[str] = (),
    objects: float | None = None,
) -> dict[str, Any]:
    """The COCO dictionary of one image, with one annotation for each class that has pixels, or with
    ``objects`` for each of its things (``regions``).

    Category ``c + 1`` is class ``c``. Segmentations are compressed runs, exact to the pixel, or
    ``polygons`` (``outlines``). Classes named in ``crowd`` have ``iscrowd`` 1. Raises GclipError if
    pycocotools or, for polygons, supervision is not installed.
    """
    height, width = result.labels.shape
    names, annotations = result.vocabulary.names, list[dict[str, Any]]()
    runs = None if polygons else optional("pycocotools.mask", "COCO")
    for index, inside, score, (left, top, right, bottom) in regions(result, objects):
        if runs is None:
            segmentation: Any = [outline.flatten().tolist() for outline in outlines(inside)]
        else:
            segmentation = runs.encode(np.asfortranarray(inside, np.uint8))
            segmentation["counts"] = segmentation["counts"].decode("ascii")
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": 1,
                "category_id": index + 1,
                "segmentation": segmentation,
                "area": int(inside.sum()),
                "bbox": [left, top, right - left, bottom - top],
                "iscrowd": int(names[index] in crowd),
                "score": round(score, 4),
            }
        )
    return {
        "images": [{"id": 1, "file_name": file_name, "height": height, "width": width}],
        "annotations": annotations,
        "categories": categories(names),
    }


def categories(names: Collection[str]) -> list[dict[str, Any]]:
    """COCO's categories, from 1, in the order of the words."""
    return [{"id": number, "name": name} for number, name in enumerate(names, 1)]


def detections(result: "Segmentation", objects: float | None = None) -> Any:
    """supervision's ``Detections``, one for each class that has pixels, or for each of its things
    (``regions``).

    Raises GclipError if supervision is not installed.
    """
    sv = optional("supervision", "Detections")
    found = [*regions(result, objects)]
    if not found:
        return sv.Detections.empty()
    indices = [index for index, *_ in found]
    return sv.Detections(
        xyxy=np.array([box for *_, box in found], float),
        mask=np.stack([inside for _, inside, *_ in found]),
        confidence=np.array([score for *_, score, _ in found]),
        class_id=np.array(indices),
        data={"class_name": np.array(result.vocabulary.names)[indices]},
    )


def yolo(result: "Segmentation", objects: float | None = None) -> str:
    """YOLO's segmentation labels: a line ``class x y x y …`` for each outline, from 0 to 1."""
    size = result.labels.shape[::-1]
    return "".join(
        f"{index} {' '.join(f'{value:.6g}' for value in (outline / size).flatten())}\n"
        for index, inside, *_ in regions(result, objects)
        for outline in outlines(inside)
    )


def labelme(result: "Segmentation", image: str, objects: float | None = None) -> dict[str, Any]:
    """LabelMe's dictionary: a polygon for each outline; those of a class, or with ``objects`` of a
    thing (``regions``), are one group.

    ``image`` is the path of the image file, from the folder of the JSON file.
    """
    height, width = result.labels.shape
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": [
            {
                "label": result.vocabulary.names[index],
                "points": outline.tolist(),
                "group_id": group,
                "shape_type": "polygon",
                "flags": {},
            }
            for group, (index, inside, *_) in enumerate(regions(result, objects))
            for outline in outlines(inside)
        ],
        "imagePath": image,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }


def outlines(inside: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """The polygons of a mask (height, width), each (points, 2) as x, y, a quarter of a pixel inside
    its edge: rasterized by pycocotools, they are the mask again.

    A polygon cannot have a hole, so a part with one is cut in two through the hole. Raises
    GclipError if supervision is not installed.
    """
    sv = optional("supervision", "A polygon")
    found, parts = list[NDArray[np.float64]](), _parts(inside)
    while parts:
        left, top, part = parts.pop()
        filled: Any = ndimage.binary_fill_holes(part)
        holes = filled & ~part
        if holes.any():
            columns = np.flatnonzero(holes.any(0))
            column = int(columns[len(columns) // 2])
            for start, half in ((0, part[:, :column]), (column, part[:, column:])):
                parts += [(left + start + x, top + y, piece) for x, y, piece in _parts(half)]
        else:
            twice = part.repeat(2, axis=0).repeat(2, axis=1)
            found += [(p + 0.5) / 2 + (left, top) for p in sv.mask_to_polygons(twice)]
    return found


def _parts(inside: NDArray[np.bool_]) -> list[tuple[int, int, NDArray[np.bool_]]]:
    """The connected parts of a mask: left, top and the part's own box of pixels."""
    numbers = connected_parts(inside)
    return [
        (columns.start, rows.start, numbers[rows, columns] == number)
        for number, (rows, columns) in enumerate(ndimage.find_objects(numbers), 1)
    ]


def cut_outs(
    result: "Segmentation", image: Image.Image, objects: float | None = None
) -> Iterator[tuple[str, Image.Image]]:
    """A file name and an image (``refine.cut_out``) for each class that has pixels, or with
    ``objects`` for each of its things (``regions``)."""
    names = result.vocabulary.names
    for number, (index, inside, *_) in enumerate(regions(result, objects), 1):
        safe = "".join(letter if letter.isalnum() else "-" for letter in names[index])[:40]
        yield f"{number}-{safe}.png", cut_out(image, inside)
