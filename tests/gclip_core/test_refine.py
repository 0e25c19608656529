"""Refinements against naive ones in float64, and properties that hold for every picture."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gclip_core import GclipError, MethodError, Segmentation, Segmenter
from gclip_core.pixels import masks, refine
from gclip_core.pixels.refine import CELL, EPSILON, RADIUS
from gclip_core.types import Grid
from tests.models import picture, tiny_backbone

WORDS = "cat, dog, sofa; couch, wall"


def segmenter() -> Segmenter:
    return Segmenter(tiny_backbone(), 32, templates="plain", logit_scale=100, max_patches=256)


def segmented(image: Image.Image, words: str = WORDS, **options: Any) -> Segmentation:
    """A plain segmentation with random logits, so that every prompt gets pixels."""
    result = segmenter().segment(image, words, **options)
    generator = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(result.logits.shape, generator=generator)
    labels = masks.labels(logits, result.prompt_classes, tuple(result.labels.shape))
    return replace(result, logits=logits, labels=labels)


def refined(result: Segmentation, image: Image.Image, name: str) -> Segmentation:
    labels = refine.refined(result.logits, result.prompt_classes, image, name, result.threshold)
    return replace(result, labels=labels)


def naive_guided(guide: Tensor, scores: Tensor) -> Tensor:
    """Ridge regression in windows of cells, by least squares on all their pixels: (C, 4, ...)."""
    rows, columns = (n // CELL for n in guide.shape[1:])

    def window(row: int, column: int, unit: int) -> tuple[slice, slice, slice]:
        return slice(None), *(
            slice(max(0, at - RADIUS) * unit, (at + RADIUS + 1) * unit) for at in (row, column)
        )

    local = torch.empty(len(scores), 4, rows, columns, dtype=torch.float64)
    for row, column in np.ndindex(rows, columns):
        at = window(row, column, CELL)
        colours, targets = guide[at].flatten(1), scores[at].flatten(1)
        centred = colours - colours.mean(1, keepdim=True)
        ridge = EPSILON * torch.eye(3, dtype=torch.float64)
        matrix = centred @ centred.T / colours.shape[1] + ridge
        weights = torch.linalg.solve(matrix, centred @ targets.T / colours.shape[1]).T
        local[:, :3, row, column] = weights
        local[:, 3, row, column] = targets.mean(1) - weights @ colours.mean(1)
    means = torch.empty_like(local)
    for row, column in np.ndindex(rows, columns):
        means[:, :, row, column] = local[:, :, *window(row, column, 1)[1:]].mean((-2, -1))
    return means


def naive_pamr(guide: Tensor, scores: Tensor, distances: tuple[int, ...], steps: int) -> Tensor:
    """PAMR pixel by pixel."""
    height, width = guide.shape[1:]
    for _ in range(steps):
        out = torch.empty_like(scores)
        for row, column in np.ndindex(height, width):
            places = [
                (min(max(row + y * d, 0), height - 1), min(max(column + x * d, 0), width - 1))
                for d in distances
                for y in (-1, 0, 1)
                for x in (-1, 0, 1)
            ]
            window, near = (torch.stack([x[:, *at] for at in places]) for x in (guide, scores))
            apart = (window - guide[:, row, column]).abs() / (1e-8 + 0.1 * window.std(0))
            logits = -apart.mean(1)
            logits[4::9] = -torch.inf  # the pixel itself
            out[:, row, column] = (logits.softmax(0)[:, None] * near).sum(0)
        scores = out
    return scores


def maps(*shape: int) -> Tensor:
    """Values from 0 to 1, float64."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def test_guided() -> None:
    """Least squares in float64."""
    guide, scores = maps(3, 24, 30), maps(4, 24, 30)
    coefficients = refine.guided_filter(guide.float(), scores.float())
    assert torch.allclose(coefficients.double(), naive_guided(guide, scores), atol=1e-4)


def test_pamr() -> None:
    """A weighted mean of neighbours, pixel by pixel."""
    guide, scores = maps(3, 9, 12), maps(4, 9, 12)
    refined_scores = refine.pamr(guide.float(), scores.float(), (1, 4), 3)
    expected = naive_pamr(guide, scores, (1, 4), 3)
    assert torch.allclose(refined_scores.double(), expected, atol=1e-5)


@pytest.mark.parametrize(("size", "black"), [((37, 23), False), ((1, 60), False), ((9, 9), True)])
def test_any_picture(size: Grid, black: bool) -> None:
    """Labels have the picture's size; the order of words does not matter; one word takes all."""
    image = Image.new("RGB", size[::-1]) if black else picture(*size)
    plain = segmented(image, "cat, dog, wall", background=["tree"])
    turned = replace(plain, logits=plain.logits[[2, 0, 1, 3]])
    labels, others = (refined(result, image, "guided").labels for result in (plain, turned))
    assert labels.shape == size
    assert {*labels.unique().tolist()} <= {-1, 0, 1, 2}
    same = labels == torch.tensor([2, 0, 1, -1])[others.long()]
    assert same.float().mean() > 0.99, "but for ties"
    assert (refined(segmented(image, "cat"), image, "guided").labels == 0).all()


def test_edge() -> None:
    """A square of one colour is found exactly from patches of 16 pixels that cut across it."""
    inside = np.zeros((320, 320), bool)
    inside[85:235, 100:250] = True
    image = Image.fromarray(np.where(inside[..., None], (200, 60, 40), (60, 120, 60)).astype("u1"))
    grid = torch.from_numpy(inside).float().view(20, 16, 20, 16).mean((1, 3))
    rough = replace(segmented(image, "cat, dog"), logits=torch.stack([8 * grid, 8 - 8 * grid]))
    edged = refined(rough, image, "guided").labels.numpy() == 0
    assert (edged != inside).mean() < 0.002


def test_threshold() -> None:
    """Pixels below the threshold have no class."""
    image = picture(44, 60)
    plain = segmented(image, "cat, dog", background=["tree"])
    areas = [
        refined(replace(plain, threshold=threshold), image, "guided").no_class_area()
        for threshold in (0.0, 0.5, 0.9)
    ]
    assert areas == sorted(areas)
    assert 0 < areas[0] < areas[-1]


def test_segment() -> None:
    """``segment`` refines an image, or an encoding with its picture."""
    image, other = picture(44, 60), picture(44, 60, seed=1)
    model = segmenter()
    encoded = model.encode(image)
    expected = refined(model.segment(encoded, WORDS), image, "guided")
    for source, options in (
        (image, {}),
        (image, {"image": other}),
        (encoded, {"image": image}),
    ):
        edged = model.segment(source, WORDS, refine="guided", **options)
        assert edged.refined == "guided"
        assert torch.equal(edged.labels, expected.labels)


def test_unusable() -> None:
    """What cannot be refined is refused."""
    image = picture(44, 60)
    model = segmenter()
    encoded = model.encode(image)
    with pytest.raises(MethodError, match="one of none, guided, pamr"):
        model.segment(encoded, WORDS, refine="crf")
    with pytest.raises(GclipError, match="image="):
        model.segment(encoded, WORDS, refine="guided")
    turned = image.rotate(90, expand=True)
    with pytest.raises(GclipError, match=r"60 × 44 pixels .* has 44 × 60"):
        model.segment(encoded, WORDS, refine="guided", image=turned)


def test_calm_speck() -> None:
    """A speck gets the class around it, and so does a hole in "no class"; a disc stays."""
    y, x = np.mgrid[:200, :300]
    labels = np.full((200, 300), -1, np.int16)
    labels[(y - 100) ** 2 + (x - 90) ** 2 < 60**2] = 0
    labels[150:190, 230:290] = 1  # the largest of its class
    expected = labels.copy()
    labels[95:110, 80:95] = 1  # in the disc
    labels[20:32, 250:262] = 0  # on the ground
    calm = refine.smooth_outlines(labels, 16.0)
    assert (calm != expected).mean() < 0.002


def test_calm_outline() -> None:
    """A jagged edge becomes straight, and no side is preferred."""
    rows = np.arange(160)[:, None]
    jagged = (np.arange(200)[None] < 100 + 3 * (rows // 2 % 2)).astype(np.int16)
    calm = refine.smooth_outlines(jagged, 20.0)
    edge = calm.sum(1)
    assert edge.max() - edge.min() <= 1
    assert 100 <= edge.min() <= 103
    for turn in (np.fliplr, np.flipud, np.transpose):
        turned = refine.smooth_outlines(turn(jagged), 20.0)
        assert (turned == turn(calm)).mean() > 0.98, "but for ties"
