"""Training scenes, fast: the same art and backgrounds as `gclip_core.scenes`.

`scenes.compose` draws everything anew, some 5 ms a scene. Here turned and resized sprites and
painted textures are kept in pools, from which a scene is pasted in about a millisecond; a little of
each pool is drawn anew for every batch. Sprites in the pool are distorted and recoloured more than
any scene's, so that the network learns shapes that survive a change of style; for the same end some
are icons of the thing, or second emoji of it (`training.icons`).
"""

import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageFilter
from torch.utils.data import DataLoader, Dataset, get_worker_info

from gclip_core import scenes
from training import icons
from training.prompts import Tokens, all_words, caption, prompt

Pixels = npt.NDArray[np.uint8]

_SIZES = tuple(int(round(15 * 1.19**i)) for i in range(14))  # 15 ... 144 pixels
_TEXTURES = 12
_TEXTURE_SIDE = 224
_RENEWED = 24  # sprites drawn anew for each batch
# Shares of things shown as icons, and in a style's second drawing: those that have any.
_ICONS, _SECONDS = 0.3, 0.2


@dataclass(frozen=True)
class Kind:
    """What a batch of scenes is like: canvas in pixels, scenes, how many things, their sizes.

    `spans[n - 1]` is the range of the longer side of a thing, in pixels, when there are n.
    """

    side: int
    batch: int
    odds: tuple[float, ...]
    spans: tuple[tuple[int, int], ...]


class Batch(NamedTuple):
    """pixels (B, S, S, 3) uint8; captions (B, CONTEXT); prompts (words, CONTEXT), one for every
    word; present (B, words) bool."""

    pixels: torch.Tensor
    captions: torch.Tensor
    prompts: torch.Tensor
    present: torch.Tensor

    def to(self, device: str) -> "Batch":
        """The same batch on a device."""
        return Batch(*(part.to(device) for part in self))


def _colour_matrix(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A random change of colour (3, 3): hue turned, saturation and channels scaled."""
    angle = rng.normal(0, 0.25) if rng.random() < 0.65 else rng.uniform(-np.pi, np.pi)
    c, s = np.cos(angle), np.sin(angle)
    saturation = rng.uniform(0.5, 1.4) if rng.random() < 0.88 else 0.0
    to_yiq = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
    turn = np.array(
        [[1, 0, 0], [0, c * saturation, -s * saturation], [0, s * saturation, c * saturation]]
    )
    gains = rng.normal(1, 0.07, 3)[:, None]
    return (np.linalg.inv(to_yiq) @ turn @ to_yiq * gains).astype(np.float32)


def duotone(rng: np.random.Generator, drawing: Pixels) -> Pixels:
    """A drawing (h, w, 4) whose brightness runs between two colours drawn by lot.

    The darker one mostly stands for the darker parts, as ink does; a light from above, sometimes.
    """
    bright = drawing[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    dark, light = rng.uniform(0, 255, (2, 3)).astype(np.float32)
    if (dark.sum() > light.sum()) == (rng.random() < 0.7):
        dark, light = light, dark
    colour = dark + (light - dark) * (bright / 255)[..., None]
    if rng.random() < 0.3:
        colour *= np.linspace(rng.uniform(1, 1.3), rng.uniform(0.7, 1), len(colour))[:, None, None]
    return np.concatenate([np.clip(colour, 0, 255).astype(np.uint8), drawing[..., 3:]], -1)


def _ink(rng: np.random.Generator, icon: Pixels) -> Pixels:
    """An icon (h, w, 4) in two colours drawn by lot, or now and then its ink alone."""
    if rng.random() < 0.3:
        through = icon[..., 3] * (1 - icon[..., 0] / 255.0)
        icon = np.concatenate([icon[..., :3], through.astype(np.uint8)[..., None]], -1)
    return duotone(rng, icon)


def _recolour(rng: np.random.Generator, rgba: Pixels) -> Pixels:
    """A sprite (h, w, 4) with another hue, saturation, contrast and brightness, or in two tones."""
    if rng.random() < 0.15:
        return duotone(rng, rgba)
    colour = rgba[..., :3].astype(np.float32) @ _colour_matrix(rng).T
    colour = (colour - 128) * rng.uniform(0.75, 1.25) + 128 + rng.uniform(-18, 18)
    return np.concatenate([np.clip(colour, 0, 255).astype(np.uint8), rgba[..., 3:]], -1)


def _outline(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """A sprite with a line around it, dark as in drawn styles or white as on stickers."""
    width = int(rng.integers(1, 3))
    grown = picture.getchannel("A").filter(ImageFilter.MaxFilter(2 * width + 1))
    tone = int(rng.integers(0, 50)) if rng.random() < 0.75 else 250
    line = Image.new("RGBA", picture.size, (tone, tone, tone, 0))
    line.putalpha(grown)
    line.alpha_composite(picture)
    return line


def _affine(
    rng: np.random.Generator, w: int, h: int, longer: float
) -> tuple[tuple[int, int], tuple[float, ...]]:
    """Size of the canvas and Pillow's inverse matrix: turn, stretch, shear, mirror and scale."""
    angle = rng.normal(0, 0.16)
    stretch = np.exp(rng.normal(0, 0.09))
    shear = rng.normal(0, 0.08)
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    c, s = np.cos(angle), np.sin(angle)
    m = np.array([[c, -s], [s, c]]) @ np.array([[stretch * mirror, shear], [0, 1 / stretch]])
    corners = np.abs(m) @ np.array([w, h])
    scale = longer / corners.max()
    m, size = m * scale, np.maximum(1, np.rint(corners * scale)).astype(int)
    inverse = np.linalg.inv(m)
    offset = np.array([w / 2, h / 2]) - inverse @ (size / 2)
    flat = (*inverse[0], offset[0], *inverse[1], offset[1])
    return (int(size[0]), int(size[1])), tuple(float(v) for v in flat)


def render(rng: np.random.Generator, drawing: icons.Drawing, longer: float) -> Pixels:
    """A drawing as training sees it (h, w, 4): distorted, recoloured, premultiplied."""
    pixels = drawing.pixels
    if drawing.ink:
        pixels = _ink(rng, pixels)
    elif rng.random() < 0.75:
        pixels = _recolour(rng, pixels)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    # Pillow's transform does not average when it shrinks, so shrink first, to twice the size.
    twice = 2 * longer / max(picture.size)
    if twice < 1:
        small = (max(2, round(picture.width * twice)), max(2, round(picture.height * twice)))
        picture = picture.convert("RGBa").resize(small, Image.Resampling.BILINEAR).convert("RGBA")
    size, matrix = _affine(rng, picture.width, picture.height, longer)
    doubled = (size[0] * 2, size[1] * 2)
    matrix = tuple(v / 2 if i % 3 < 2 else v for i, v in enumerate(matrix))
    picture = picture.convert("RGBa").transform(
        doubled, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )
    picture = picture.resize(size, Image.Resampling.BOX)
    if rng.random() < 0.15:
        picture = picture.filter(ImageFilter.BoxBlur(rng.uniform(0.3, 0.9)))
    if rng.random() < 0.2:
        picture = _outline(rng, picture.convert("RGBA")).convert("RGBa")
    return np.asarray(picture)


class Composer:
    """Pools of sprites and textures, and scenes pasted from them."""

    def __init__(self, seed: int, style: str = "seen") -> None:
        self.rng = np.random.default_rng(seed)
        arts = scenes.styles_for(style)
        self._drawings = [
            [icons.Drawing(scenes.sprite(art.name, t), False) for art in arts if t in art.things]
            for t in range(len(scenes.things()))
        ]
        first = [len(drawn) for drawn in self._drawings]
        if style == "seen":
            for drawn, more in zip(self._drawings, icons.load(), strict=True):
                drawn.extend(more)
        # Per thing, the places of its first emoji, its second emoji and its icons.
        self._groups = [
            (
                range(count),
                [i for i in range(count, len(drawn)) if not drawn[i].ink],
                [i for i in range(count, len(drawn)) if drawn[i].ink],
            )
            for count, drawn in zip(first, self._drawings, strict=True)
        ]
        self._pool: dict[tuple[int, int, int], Pixels] = {}  # by thing, drawing and size
        self._keys: list[tuple[int, int, int]] = []
        self._textures = [
            [self._texture(kind) for _ in range(_TEXTURES)]
            for kind in range(len(scenes.BACKGROUNDS))
        ]

    def _draw(self, thing: int, which: int, level: int) -> Pixels:
        longer = _SIZES[level] * self.rng.uniform(0.92, 1.09)
        return render(self.rng, self._drawings[thing][which], longer)

    def _texture(self, kind: int) -> Pixels:
        unit = self.rng.uniform(0.8, 2.2)
        return scenes.paint(self.rng, kind, _TEXTURE_SIDE, _TEXTURE_SIDE, unit)

    def renew(self) -> None:
        """Draw a few sprites, and now and then a texture, anew."""
        for i in self.rng.integers(len(self._keys), size=_RENEWED):
            key = self._keys[int(i)]
            self._pool[key] = self._draw(*key)
        kind = int(self.rng.integers(len(self._textures)))
        self._textures[kind][int(self.rng.integers(_TEXTURES))] = self._texture(kind)

    def _crop(self, kind: int, h: int, w: int) -> Pixels:
        pool = self._textures[kind]
        texture = pool[int(self.rng.integers(len(pool)))]
        top = int(self.rng.integers(_TEXTURE_SIDE - h + 1))
        left = int(self.rng.integers(_TEXTURE_SIDE - w + 1))
        part = texture[top : top + h, left : left + w]
        return part[:, ::-1] if self.rng.random() < 0.5 else part

    def _sprite(self, thing: int, span: tuple[int, int]) -> Pixels:
        """A sprite from the pool whose size lies in the span, smaller ones more often."""
        fitting = [i for i, s in enumerate(_SIZES) if span[0] <= s * 1.05 and s * 0.95 <= span[1]]
        level = fitting[int(self.rng.integers(len(fitting)))]
        key = (thing, self._which(thing), level)
        if key not in self._pool:
            self._pool[key] = self._draw(*key)
            self._keys.append(key)
        return self._pool[key]

    def _which(self, thing: int) -> int:
        """One of a thing's drawings: its icons, its second and its first emoji by their shares."""
        first, second, inked = self._groups[thing]
        ticket = self.rng.random()
        chosen: Sequence[int] = first
        if inked and ticket < _ICONS:
            chosen = inked
        elif second and ticket > 1 - _SECONDS:
            chosen = second
        return chosen[int(self.rng.integers(len(chosen)))]

    def scene(self, kind: Kind) -> tuple[Pixels, list[int], list[int]]:
        """A square scene: pixels (S, S, 3), things, backgrounds."""
        rng, side = self.rng, kind.side
        behind = list(scenes.choose_backgrounds(rng))
        image = np.array(self._crop(behind[0], side, side))
        if len(behind) == 2:
            horizon = int(side * rng.uniform(0.3, 0.7))
            image[horizon:] = self._crop(behind[1], side - horizon, side)
        count = int(rng.choice(len(kind.odds), p=kind.odds)) + 1
        chosen = [int(c) for c in rng.choice(len(self._drawings), count, replace=False)]
        taken: list[scenes.Box] = []
        nowhere = np.empty((side, side), np.int8)  # labels are not needed: only words are learned
        for thing in chosen:
            laid = self._sprite(thing, kind.spans[count - 1])
            box = scenes.place(rng, (side, side), laid.shape[:2], taken)
            scenes.paste(image, nowhere, laid, box[0], box[1], 0)
            taken.append(box)
        return self._expose(image), chosen, behind

    def _expose(self, image: Pixels) -> Pixels:
        """Brightness and contrast of the whole scene, a colour cast now and then, a blur rarely."""
        rng = self.rng
        gains = rng.uniform(0.8, 1.18) * (
            rng.normal(1, 0.06, 3) if rng.random() < 0.4 else np.ones(3)
        )
        ramp = np.arange(256)[:, None] * gains + rng.uniform(-14, 14)
        table = np.clip(ramp, 0, 255).astype(np.uint8)
        image = np.stack([table[:, c][image[..., c]] for c in range(3)], -1)
        if rng.random() < 0.08:
            blurred = Image.fromarray(image).filter(ImageFilter.BoxBlur(rng.uniform(0.3, 0.8)))
            return np.asarray(blurred)
        return image

    def batch(self, kind: Kind, tokens: Tokens) -> Batch:
        """A batch of scenes with their captions, and one prompt for every word."""
        words = all_words()
        count = len(scenes.things())
        pixels = np.empty((kind.batch, kind.side, kind.side, 3), np.uint8)
        present = np.zeros((kind.batch, len(words)), bool)
        captions = []
        for i in range(kind.batch):
            pixels[i], seen, behind = self.scene(kind)
            present[i, seen] = True
            present[i, [count + b for b in behind]] = True
            captions.append(caption(self.rng, seen, behind))
        prompts = [prompt(self.rng, word) for word in words]
        self.renew()
        return Batch(
            torch.from_numpy(pixels),
            torch.from_numpy(tokens.encode(captions)),
            torch.from_numpy(tokens.encode(prompts)),
            torch.from_numpy(present),
        )


class _Batches(Dataset[Batch]):
    """A batch of the kind asked for; every worker process has pools of its own."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    @functools.cached_property
    def _made_from(self) -> tuple[Composer, Tokens]:
        worker = get_worker_info()
        return Composer(self.seed + (worker.id if worker else 0)), Tokens()

    def __getitem__(self, kind: Kind) -> Batch:
        composer, tokens = self._made_from
        return composer.batch(kind, tokens)


def _go_second(_: int) -> None:
    os.nice(3)  # the training process goes first; a short queue of batches hides the difference


def stream(workers: int, seed: int, kinds: Iterator[Kind], ahead: int = 4) -> Iterator[Batch]:
    """Batches made by worker processes, each asked for a little before it is taken."""
    return iter(
        DataLoader(
            _Batches(seed),
            batch_size=None,
            sampler=kinds,
            num_workers=workers,
            prefetch_factor=ahead,
            multiprocessing_context="spawn",
            worker_init_fn=_go_second,
        )
    )
