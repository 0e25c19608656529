"""Refinements against naive twins in float64, and what holds for every picture."""

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

from evaluation.photos import shipped_photos
from gclip_core import GclipError, Segmentation, Segmenter, refine
from gclip_core.refine import REFINEMENTS, refined
from gclip_core.types import Grid
from tests.models import picture, tiny_backbone

NAMES = [name for name in REFINEMENTS if name != "none"]
WORDS = "cat, dog, sofa; couch, wall"


def segmented(image: Image.Image, words: str = WORDS, **options: Any) -> Segmentation:
    settings = {"short_side": 32, "templates": "plain", "logit_scale": 100, "max_tokens": 256}
    return Segmenter(tiny_backbone(), **settings).segment(image, words, **options)


def spread(result: Segmentation) -> Segmentation:
    """The result with random logits, so that every class, and hidden words, get pixels."""
    generator = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(result.logits.shape, generator=generator)
    labels = bilinear(logits, result.labels.shape).argmax(0)
    return replace(result, logits=logits, labels=torch.tensor(result.prompt_classes)[labels])


def bilinear(maps: Tensor, size: Grid) -> Tensor:
    """(..., h, w) at another size."""
    flat = maps.reshape(1, -1, *maps.shape[-2:])
    return F.interpolate(flat, size=size, mode="bilinear").view(*maps.shape[:-2], *size)


def naive_scores(result: Segmentation, size: Grid) -> Tensor:
    """Softmax over entries, maximum over synonyms and over hidden words, in float64."""
    entries = bilinear(result.logits.double(), size).softmax(0)
    owner = torch.tensor(result.prompt_classes)
    classes = [*range(len(result.vocabulary)), *([-1] if result.background else [])]
    return torch.stack([entries[owner == c].amax(0) for c in classes])


def calmed(labels: Tensor, result: Segmentation) -> Tensor:
    """The labels with calm outlines."""
    patch = math.sqrt(labels.numel() / result.logits[0].numel())
    return torch.from_numpy(refine.calm(labels.to(torch.int16).numpy(), patch))


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


@pytest.mark.parametrize("background", [False, ["tree", "sky"]])
def test_guided_labels(background: bool | list[str]) -> None:
    """In float64 by least squares; interpolated, and applied to the colours of the picture."""
    image = picture(37, 52)
    result = spread(segmented(image, background=background))
    size = 36, 52
    guide, radius = naive_colours(image, size), 1
    coefficients = bilinear(
        naive_guided(guide, naive_scores(result, size), radius, refine.CELL), (37, 52)
    )
    colours = naive_colours(image, (37, 52))
    expected = (coefficients[:, :3] * colours).sum(1) + coefficients[:, 3]
    best, n = expected.argmax(0), len(result.vocabulary)
    labels = refined(result, image, "guided").labels
    assert (labels == calmed(best.where(best < n, -1), result)).float().mean() > 0.999
    assert (labels != calmed(result.labels, result)).float().mean() > 0.01


def test_guided_scores() -> None:
    """The scores of a guided mask are regressions too."""
    image = picture(37, 52)
    result = segmented(image)
    guide = naive_colours(image, (36, 52))
    coefficients = naive_guided(guide, naive_scores(result, (36, 52)), 1, refine.CELL)
    coefficients = bilinear(coefficients, result.resized)
    colours = naive_colours(image, result.resized)
    expected = (coefficients[:, :3] * colours).sum(1) + coefficients[:, 3]
    scores = refined(result, image, "guided").scores.double()
    # Where an outline was calmed, two classes have exchanged their scores.
    assert torch.allclose(scores.sort(0).values, expected.sort(0).values, atol=1e-4)


def test_pamr(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PAMR is a weighted mean of neighbours pixel by pixel."""
    monkeypatch.setattr(refine, "STEPS", 2)
    image = picture(21, 28)
    result = segmented(image)
    guide = naive_colours(image, result.resized)
    expected = naive_pamr(guide, naive_scores(result, result.resized))
    edged = refined(result, image, "pamr")
    scores = edged.scores.double()
    assert torch.allclose(scores.sort(0).values, expected.sort(0).values, atol=1e-5)
    best = bilinear(expected, (21, 28)).argmax(0)
    assert (edged.labels == calmed(best, result)).float().mean() > 0.999


@pytest.mark.parametrize("name", NAMES)
def test_no_edge(name: str) -> None:
    """One colour tells nothing: the coefficients of colours are 0, and scores are means."""
    image = Image.new("RGB", (60, 44), (120, 7, 200))
    result = segmented(picture(44, 60))
    edged = refined(result, image, name)
    assert edged.scores.isfinite().all()
    low, high = result.scores.amin((1, 2)), result.scores.amax((1, 2))
    assert (edged.scores.amin((1, 2)) >= low - 1e-4).all()
    assert (edged.scores.amax((1, 2)) <= high + 1e-4).all()


@pytest.mark.parametrize("name", NAMES)
def test_equal_scores(name: str) -> None:
    """Of every picture: a constant is fitted by the constant term alone."""
    image = picture(44, 60)
    result = segmented(image)
    flat = replace(result, logits=torch.zeros_like(result.logits))
    assert torch.allclose(refined(flat, image, name).scores, torch.tensor(0.2), atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_one_class(name: str) -> None:
    """One class gets every pixel."""
    image = picture(44, 60)
    assert (refined(segmented(image, "cat"), image, name).labels == 0).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 900), (900, 1), (1, 1), (2, 3)])
def test_odd_sizes(name: str, size: Grid) -> None:
    """Strips and single pixels."""
    image = picture(*size)
    edged = refined(segmented(image, background=True), image, name)
    assert edged.labels.shape == size
    assert edged.scores.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_order(name: str) -> None:
    """The order of words does not matter."""
    image = picture(44, 60)
    plain = spread(segmented(image, "cat, dog, wall"))
    turned = replace(plain, logits=plain.logits[[2, 0, 1]])
    labels, others = (refined(result, image, name).labels for result in (plain, turned))
    assert (labels == torch.tensor([2, 0, 1])[others.long()]).float().mean() > 0.999
    assert len(labels.unique()) == 3


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    name=st.sampled_from(NAMES),
    black=st.booleans(),
)
def test_finite(seed: int, size: Grid, name: str, black: bool) -> None:
    """No picture makes a nan."""
    image = Image.new("RGB", size[::-1]) if black else picture(*size, seed=seed)
    edged = refined(segmented(image, background=True), image, name)
    assert edged.scores.isfinite().all()
    assert edged.labels.min() >= -1
    assert edged.labels.max() < 4


def test_edge() -> None:
    """A square of one colour, segmented by patches of 16 pixels that are not aligned with it."""
    photo = shipped_photos()["dog"].image()
    inside = np.zeros((320, 320), bool)
    inside[85:235, 100:250] = True
    image = Image.fromarray(np.where(inside[..., None], (200, 60, 40), (60, 120, 60)).astype("u1"))
    grid = torch.from_numpy(inside).float().view(20, 16, 20, 16).mean((1, 3))
    result = segmented(photo.resize((320, 320)), "cat, dog")
    rough = replace(result, logits=torch.stack([8 * grid, 8 - 8 * grid]), prompt_classes=(0, 1))
    edged = refined(rough, image, "guided").labels.numpy() == 0
    assert (edged != inside).mean() < 0.002


def test_background_and_threshold() -> None:
    """The background and the threshold take part."""
    image = picture(44, 60)
    plain = spread(segmented(image, "cat, dog", background=["tree"]))
    edged = refined(plain, image, "guided")
    assert (edged.labels == -1).any()
    strict = refined(replace(plain, threshold=0.9), image, "guided")
    assert (strict.labels == -1).sum() > (edged.labels == -1).sum()


def test_segment() -> None:
    """Segment refines an image or an encoding with its picture."""
    image = picture(44, 60)
    segmenter = Segmenter(tiny_backbone(), short_side=32, templates="plain")
    encoded = segmenter.encode(image)
    expected = refined(segmenter.segment(encoded, WORDS), image, "guided")
    for source, options in ((image, {}), (encoded, {"picture": image})):
        edged = segmenter.segment(source, WORDS, refine="guided", **options)
        assert edged.refined == "guided"
        assert torch.equal(edged.labels, expected.labels)
    assert segmenter.segment(image, WORDS).refined == "none"


@pytest.mark.parametrize("name", NAMES)
def test_much_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many words on a large picture: a smaller one is worked on, and the mask is enlarged."""
    image = picture(88, 120)
    plain = spread(segmented(image))
    whole = refined(plain, image, name)
    sizes: list[tuple[int, int, int]] = []

    def coefficients(guide: Tensor, scores: Tensor) -> Tensor:
        sizes.append((len(scores), guide.shape[1], guide.shape[2]))
        return entry.coefficients(guide, scores)

    entry = REFINEMENTS[name]
    bounded = replace(entry, coefficients=coefficients, elements=4000)
    monkeypatch.setitem(refine.REFINEMENTS, name, bounded)
    monkeypatch.setattr(refine, "MAX_APPLIED", 4 * 88 * 120 // 3)
    result = refined(plain, image, name)
    assert result.labels.shape == whole.labels.shape
    assert (result.labels == whole.labels).float().mean() > 0.8
    ((n, height, width),) = sizes
    assert n * height * width <= 1.2 * 4000
    assert result.scores.shape == whole.scores.shape


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
    segmenter = Segmenter(tiny_backbone(), short_side=32, templates="plain")
    with pytest.raises(GclipError, match="picture="):
        segmenter.segment(segmenter.encode(image), WORDS, refine="guided")


def regions(labels: np.ndarray) -> list[tuple[int, int]]:
    """The label and area of each connected region, largest first."""
    found = []
    for label in np.unique(labels):
        parts, n = ndimage.label(labels == label)
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
def test_calm_labels(seed: int, size: Grid, cell: int, patch: float, n: int) -> None:
    """No speck is left but as the only region of a class, and no class comes from nowhere."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(-1, n, [side // cell + 1 for side in size], dtype=np.int16)
    labels = np.kron(coarse, np.ones((cell, cell), np.int16))[: size[0], : size[1]]
    given = labels.copy()
    calm = refine.calm(labels, patch)
    assert np.array_equal(labels, given), "the argument is unchanged"
    assert (calm.shape, calm.dtype) == (labels.shape, labels.dtype)
    assert {*np.unique(calm)} <= {*np.unique(labels)}
    seen = set()
    for label, area in regions(calm):
        assert area >= refine.SPECK * patch**2 or label not in seen
        seen.add(label)


def test_calm_mirror() -> None:
    """It prefers no side."""
    labels = np.random.default_rng(3).integers(0, 2, (6, 8), np.int16)
    labels = np.kron(labels, np.ones((7, 7), np.int16))
    for turn in (np.fliplr, np.flipud, np.transpose):
        same = refine.calm(turn(labels), 5.0) == turn(refine.calm(labels, 5.0))
        assert same.mean() > 0.98, "but for ties"


def test_calm_speck() -> None:
    """A speck gets the class around it, a hole in "no class" too; a disc stays."""
    y, x = np.mgrid[:200, :300]
    labels = np.full((200, 300), -1, np.int16)
    labels[(y - 100) ** 2 + (x - 90) ** 2 < 60**2] = 0
    expected = labels.copy()
    labels[95:110, 80:95] = 1  # in the disc
    labels[20:32, 250:262] = 0  # on the ground
    labels[150:190, 230:290] = 1  # the largest of its class
    expected[150:190, 230:290] = 1
    calm = refine.calm(labels, 16.0)
    assert (calm != expected).mean() < 0.002
    assert regions(calm) == sorted(regions(calm), key=lambda region: -region[1])
    assert [label for label, _ in regions(calm)] == [-1, 0, 1]


def test_calm_contour() -> None:
    """A jagged edge becomes a straight one."""
    rows = np.arange(160)[:, None]
    jagged = (np.arange(200)[None] < 100 + 3 * (rows // 2 % 2)).astype(np.int16)
    calm = refine.calm(jagged, 20.0)
    edge = calm.sum(1)
    assert edge.max() - edge.min() <= 1
    assert 100 <= edge.min() <= 103


@pytest.mark.parametrize("background", [False, ["tree", "sky"]])
@pytest.mark.parametrize("threshold", [0.0, 0.3])
def test_scores_agree_with_labels(background: bool | list[str], threshold: float) -> None:
    """At the size of the scores, the label is the class with the best score."""
    image = picture(64, 96)
    result = replace(spread(segmented(image, background=background)), threshold=threshold)
    result = replace(result, resized=(64, 96))
    edged = refined(result, image, "guided")
    has_class = edged.labels >= 0
    assert torch.equal(edged.scores.argmax(0)[has_class], edged.labels[has_class].long())
    assert (edged.labels != refined(result, image, "none").labels).any()
