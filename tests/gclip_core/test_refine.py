"""Refinements against naive ones in float64, and properties of every picture."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from torch import Tensor

from gclip_core import GclipError, Segmentation, Segmenter, refine
from gclip_core.refine import REFINEMENTS, refined
from gclip_core.types import Grid
from tests.models import picture, tiny_backbone

NAMES = [name for name in REFINEMENTS if name != "none"]
WORDS = "cat, dog, sofa; couch, wall"


def segmenter() -> Segmenter:
    return Segmenter(tiny_backbone(), 32, templates="plain", logit_scale=100, max_tokens=256)


def segmented(image: Image.Image, words: str = WORDS, **options: Any) -> Segmentation:
    """A plain segmentation with random logits, so that every prompt gets pixels."""
    result = segmenter().segment(image, words, **options)
    generator = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(result.logits.shape, generator=generator)
    best = bilinear(logits, result.labels.shape).argmax(0)
    labels = torch.tensor(result.prompt_classes, dtype=torch.int16)[best]
    return replace(result, logits=logits, labels=labels)


def bilinear(maps: Tensor, size: Grid) -> Tensor:
    """(..., h, w) at another size."""
    flat = maps.reshape(1, -1, *maps.shape[-2:])
    return F.interpolate(flat, size=size, mode="bilinear").view(*maps.shape[:-2], *size)


def naive_scores(result: Segmentation, size: Grid) -> Tensor:
    """Softmax over prompts, maximum over synonyms and over the background, in float64."""
    shares = bilinear(result.logits.double(), size).softmax(0)
    of = torch.tensor(result.prompt_classes)
    classes = [*range(len(result.vocabulary)), *([-1] if result.background else [])]
    return torch.stack([shares[of == c].amax(0) for c in classes])


def naive_colours(image: Image.Image, size: Grid) -> Tensor:
    resized = image.resize(size[::-1], Image.Resampling.BICUBIC)
    return torch.from_numpy(np.asarray(resized) / 255.0).permute(2, 0, 1)


def naive_guided(guide: Tensor, scores: Tensor, radius: int, cell: int) -> Tensor:
    """Ridge regressions in windows of cells, by least squares on all their pixels: (C, 4, ...)."""
    rows, columns = (n // cell for n in guide.shape[1:])

    def window(row: int, column: int, unit: int) -> tuple[slice, slice]:
        low = max(0, row - radius) * unit, max(0, column - radius) * unit
        return (
            slice(low[0], min(rows, row + radius + 1) * unit),
            slice(low[1], min(columns, column + radius + 1) * unit),
        )

    local = torch.empty(len(scores), 4, rows, columns, dtype=torch.float64)
    for row in range(rows):
        for column in range(columns):
            at = (slice(None), *window(row, column, cell))
            colours, targets = guide[at].flatten(1), scores[at].flatten(1)
            centred = colours - colours.mean(1, keepdim=True)
            ridge = refine.EPSILON * torch.eye(3, dtype=torch.float64)
            matrix = centred @ centred.T / colours.shape[1] + ridge
            shared = targets @ centred.T / colours.shape[1]
            weights = torch.linalg.solve(matrix, shared.T).T
            local[:, :3, row, column] = weights
            local[:, 3, row, column] = targets.mean(1) - weights @ colours.mean(1)
    means = torch.empty_like(local)
    for row in range(rows):
        for column in range(columns):
            inside = local[(slice(None), slice(None), *window(row, column, 1))]
            means[:, :, row, column] = inside.mean((-2, -1))
    return means


def naive_pamr(guide: Tensor, scores: Tensor) -> Tensor:
    """PAMR pixel by pixel."""
    height, width = guide.shape[1:]
    around = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]

    def neighbours(row: int, column: int, centre: bool) -> list[tuple[int, int]]:
        return [
            (min(max(row + y * d, 0), height - 1), min(max(column + x * d, 0), width - 1))
            for d in refine.DILATIONS
            for y, x in around
            if centre or (y, x) != (0, 0)
        ]

    for _ in range(refine.STEPS):
        out = torch.empty_like(scores)
        for row in range(height):
            for column in range(width):
                window = torch.stack([guide[:, y, x] for y, x in neighbours(row, column, True)])
                others = neighbours(row, column, False)
                colours = torch.stack([guide[:, y, x] for y, x in others])
                apart = (colours - guide[:, row, column]).abs() / (1e-8 + 0.1 * window.std(0))
                weights = (-apart.mean(1)).softmax(0)
                near = torch.stack([scores[:, y, x] for y, x in others])
                out[:, row, column] = (weights[:, None] * near).sum(0)
        scores = out
    return scores


def assert_labels(result: Segmentation, image: Image.Image, name: str, scores: Tensor) -> None:
    """Refined labels are the calm labels of these scores, and not those without refinement."""
    best = scores.argmax(0)
    n, patch = len(result.vocabulary), math.sqrt(best.numel() / result.logits[0].numel())
    expected = refine.smooth_outlines(best.where(best < n, -1).to(torch.int16).numpy(), patch)
    labels = refined(result, image, name).labels
    assert (labels == torch.from_numpy(expected)).float().mean() > 0.999
    assert (labels != torch.from_numpy(refine.smooth_outlines(result.labels.numpy(), patch))).any()


@pytest.mark.parametrize("background", [False, ["tree", "sky"]])
def test_guided(background: bool | list[str]) -> None:
    """Least squares in float64, interpolated and applied to the colours of the picture."""
    image = picture(37, 52)
    result = segmented(image, background=background)
    guide = naive_colours(image, (36, 52))
    small = naive_guided(guide, naive_scores(result, (36, 52)), 1, refine.CELL)
    coefficients, colours = bilinear(small, (37, 52)), naive_colours(image, (37, 52))
    scores = (coefficients[:, :3] * colours).sum(1) + coefficients[:, 3]
    assert_labels(result, image, "guided", scores)


def test_pamr(monkeypatch: pytest.MonkeyPatch) -> None:
    """PAMR is a weighted mean of neighbours, pixel by pixel."""
    monkeypatch.setattr(refine, "STEPS", 2)
    image = picture(21, 28)
    result = segmented(image)
    guide = naive_colours(image, (21, 28))
    scores = naive_pamr(guide, naive_scores(result, (21, 28)))
    assert_labels(result, image, "pamr", scores)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.tuples(st.integers(1, 50), st.integers(1, 50))
    | st.sampled_from([(1, 900), (900, 1), (1, 1)]),
    name=st.sampled_from(NAMES),
    black=st.booleans(),
)
def test_any_picture(seed: int, size: Grid, name: str, black: bool) -> None:
    """Labels are of the picture's size; the order of words does not matter; one word takes all."""
    image = Image.new("RGB", size[::-1]) if black else picture(*size, seed=seed)
    plain = segmented(image, "cat, dog, wall", background=["tree"])
    turned = replace(plain, logits=plain.logits[[2, 0, 1, 3]])
    labels, others = (refined(result, image, name).labels for result in (plain, turned))
    assert labels.shape == size
    assert {*labels.unique().tolist()} <= {-1, 0, 1, 2}
    same = labels == torch.tensor([2, 0, 1, -1])[others.long()]
    assert same.float().mean() > 0.99, "but for ties"
    assert (refined(segmented(image, "cat"), image, name).labels == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_one_colour(name: str) -> None:
    """A picture of one colour has no edges: labels are nearly the plain ones."""
    image = Image.new("RGB", (160, 128), (120, 7, 200))
    plain = segmented(image, "cat, dog")
    assert (refined(plain, image, name).labels == plain.labels).float().mean() > 0.8


def test_edge() -> None:
    """A square of one colour is found exactly by patches of 16 pixels that cut across it."""
    inside = np.zeros((320, 320), bool)
    inside[85:235, 100:250] = True
    image = Image.fromarray(np.where(inside[..., None], (200, 60, 40), (60, 120, 60)).astype("u1"))
    grid = torch.from_numpy(inside).float().view(20, 16, 20, 16).mean((1, 3))
    rough = replace(segmented(image, "cat, dog"), logits=torch.stack([8 * grid, 8 - 8 * grid]))
    edged = refined(rough, image, "guided").labels.numpy() == 0
    assert (edged != inside).mean() < 0.002


def test_threshold() -> None:
    """Pixels under the threshold have no class."""
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
    image = picture(44, 60)
    model = segmenter()
    encoded = model.encode(image)
    expected = refined(model.segment(encoded, WORDS), image, "guided")
    for source, options in ((image, {}), (encoded, {"picture": image})):
        edged = model.segment(source, WORDS, refine="guided", **options)
        assert edged.refined == "guided"
        assert torch.equal(edged.labels, expected.labels)


@pytest.mark.parametrize("name", NAMES)
def test_much_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many words on a large picture: the mask of a smaller one is enlarged."""
    image = picture(88, 120)
    plain = segmented(image)
    whole = refined(plain, image, name)
    monkeypatch.setitem(refine.REFINEMENTS, name, replace(REFINEMENTS[name], elements=4000))
    monkeypatch.setattr(refine, "MAX_APPLIED", 4 * 88 * 120 // 3)
    small = refined(plain, image, name)
    assert (small.labels == whole.labels).float().mean() > 0.7


def test_unusable() -> None:
    """What cannot be refined is refused."""
    image = picture(44, 60)
    plain = segmented(image)
    with pytest.raises(GclipError, match="Choose one of: none, guided, pamr"):
        refined(plain, image, "crf")
    with pytest.raises(GclipError, match=r"44 × 60 .* was expected, but 60 × 44"):
        refined(plain, image.rotate(90, expand=True), "guided")
    with pytest.raises(GclipError, match="refine='none' was expected"):
        refined(refined(plain, image, "guided"), image, "guided")
    model = segmenter()
    with pytest.raises(GclipError, match="picture="):
        model.segment(model.encode(image), WORDS, refine="guided")


def regions(labels: np.ndarray) -> list[tuple[int, int]]:
    """The label and area of each connected region, largest first."""
    found = []
    for label in np.unique(labels):
        parts, _ = ndimage.label(labels == label)
        found += [(int(label), int(area)) for area in np.bincount(parts.flat)[1:]]
    return sorted(found, key=lambda region: -region[1])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    cell=st.integers(1, 20),
    patch=st.floats(1, 12),
    n=st.integers(1, 5),
)
def test_calm(seed: int, size: Grid, cell: int, patch: float, n: int) -> None:
    """Hardly a speck is left but as the only region of a class, and no class is new."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(-1, n, [side // cell + 1 for side in size], dtype=np.int16)
    labels = np.kron(coarse, np.ones((cell, cell), np.int16))[: size[0], : size[1]]
    given = labels.copy()
    calm = refine.smooth_outlines(labels, patch)
    assert np.array_equal(labels, given), "the argument is unchanged"
    assert (calm.shape, calm.dtype) == (labels.shape, labels.dtype)
    assert {*np.unique(calm)} <= {*np.unique(labels)}
    seen, specks = set(), 0
    for label, area in regions(calm):
        if area < refine.SPECK * patch**2 and label in seen:
            specks += area
        seen.add(label)
    assert specks <= 0.005 * labels.size, "a pixel at most, beside two classes that fill a speck"


def test_calm_speck() -> None:
    """A speck gets the class around it, a hole in "no class" too; a disc stays."""
    y, x = np.mgrid[:200, :300]
    labels = np.full((200, 300), -1, np.int16)
    labels[(y - 100) ** 2 + (x - 90) ** 2 < 60**2] = 0
    labels[150:190, 230:290] = 1  # the largest of its class
    expected = labels.copy()
    labels[95:110, 80:95] = 1  # in the disc
    labels[20:32, 250:262] = 0  # on the ground
    calm = refine.smooth_outlines(labels, 16.0)
    assert (calm != expected).mean() < 0.002
    assert [label for label, _ in regions(calm)] == [-1, 0, 1]


def test_calm_outline() -> None:
    """A jagged edge becomes a straight one, and no side is preferred."""
    rows = np.arange(160)[:, None]
    jagged = (np.arange(200)[None] < 100 + 3 * (rows // 2 % 2)).astype(np.int16)
    calm = refine.smooth_outlines(jagged, 20.0)
    edge = calm.sum(1)
    assert edge.max() - edge.min() <= 1
    assert 100 <= edge.min() <= 103
    for turn in (np.fliplr, np.flipud, np.transpose):
        turned = refine.smooth_outlines(turn(jagged), 20.0)
        assert (turned == turn(calm)).mean() > 0.98, "but for ties"
