"""Emoji scenes with known truth: for teaching, for tests, and to train the built-in model.

A scene is one or two painted backgrounds with one to five emoji on them, made from a seed. Its
label map is exact: a pixel belongs to the thing that covers more than half of it, else to the
background. The same seed gives the same scene on every machine: all arithmetic is on integers,
or on floats with operations that IEEE 754 rounds correctly (no sine, no power, no sums whose
order could differ), and every resize is Pillow's fixed-point one.

A scene is also plain data, a :class:`Layout`: `arrange` gives a seed's, `render` draws any, and
`compose` is one after the other. A layout travels as JSON, which is read as untrusted text.

Needs NumPy and Pillow only.
"""

import functools
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from gclip_core import assets
from gclip_core.errors import GclipError

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Colour = tuple[float, float, float]

MAX_THINGS = 5
# How many things a scene has, in twenty scenes.
_HOW_MANY = (*[1] * 4, *[2] * 5, *[3] * 5, *[4] * 4, *[5] * 2)
# Longer side of a thing, as a share of the scene's short side, by how many things there are.
SPANS = {1: (0.36, 0.80), 2: (0.30, 0.62), 3: (0.26, 0.50), 4: (0.23, 0.44), 5: (0.21, 0.40)}
# A thing may hide at most this share of the smaller of two boxes, and hang out by this share.
_OVERLAP = 0.2
_OVERHANG = 0.125
_PLACES = 24
# Turns are given as the tangent of half the angle: +-0.2 is +-23 degrees, without a sine.
_HALF_TURN = 0.2
# Bounds of a layout, whoever made it.
MAX_ITEMS = 24
MAX_LAYOUT_CHARACTERS = 4000
_BOUNDS = {"x": (-0.5, 1.5), "y": (-0.5, 1.5), "size": (0.03, 1.5), "turn": (-1000, 1000)}
# Textures are designed for a scene whose short side is this long, and scale with it.
_DESIGN = 96


@dataclass(frozen=True)
class Word:
    """A thing or a background: its name, other names for it, and its plurals."""

    name: str
    synonyms: tuple[str, ...] = ()
    plurals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Style:
    """One emoji package: whose art, under which licence, and which things it draws.

    `use` is "seen" (trained on), "held-out" (never trained on, what quality is measured on) or
    "extra" (never trained on either).
    """

    name: str
    package: str
    version: str
    licence: str
    author: str
    use: str
    things: tuple[int, ...]


@dataclass(frozen=True)
class Item:
    """A thing in a layout.

    thing, style: names of what is drawn, and of whose art draws it.
    x, y: its centre, in widths and heights of the scene.
    size: the longer side of its drawing before it is turned, in short sides of the scene.
    turn: the tangent of half the angle it is turned by, clockwise; `flip` mirrors it before that.
    """

    thing: str
    style: str
    x: float
    y: float
    size: float
    turn: float = 0.0
    flip: bool = False


@dataclass(frozen=True)
class Layout:
    """What is where in a scene, at whatever size it is drawn.

    ground: one background, or two, (above, below), that meet at `horizon`, in heights.
    items: from the backmost to the foremost.
    light: gain and shift of all grey levels.
    seed, style, things: the grounds get the textures of the scene that `compose` makes of these.

    Raises:
        GclipError: a name that does not exist, or a number out of range.
    """

    ground: tuple[str, ...]
    items: tuple[Item, ...] = ()
    horizon: float = 0.5
    light: tuple[float, float] = (1.0, 0.0)
    seed: int = 0
    style: str = "held-out"
    things: int | None = None

    def __post_init__(self) -> None:
        _check_start(self.seed, self.style, self.things)
        if len(set(self.ground)) != len(self.ground) or len(self.ground) not in (1, 2):
            raise GclipError(f"A scene has 1 or 2 different backgrounds, not {self.ground!s:.60}.")
        for name in self.ground:
            _check_name("background", name, _ground_names())
        _check_number("horizon", self.horizon, 0, 1)
        _check_number("gain", self.light[0], 0.5, 1.5)
        _check_number("shift", self.light[1], -64, 64)
        if len(self.items) > MAX_ITEMS:
            raise GclipError(f"A scene holds up to {MAX_ITEMS} items, not {len(self.items)}.")
        for item in self.items:
            _check_name("emoji style", item.style, styles())
            drawn = styles()[item.style].things
            _check_name(f"drawing in {item.style}", item.thing, [_names()[i] for i in drawn])
            for name, (low, high) in _BOUNDS.items():
                _check_number(name, getattr(item, name), low, high)

    def to_json(self) -> str:
        """One line of JSON; its numbers have 4 decimals, which is far below a pixel."""
        rows = [
            [i.thing, i.style, *(round(getattr(i, n), 4) for n in _BOUNDS), int(i.flip)]
            for i in self.items
        ]
        data = {
            "ground": self.ground,
            "horizon": round(self.horizon, 4),
            "light": [round(number, 4) for number in self.light],
            "like": [self.seed, self.style, self.things or 0],
            "items": rows,
        }
        return json.dumps(data, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> "Layout":
        """The layout that `to_json` wrote, or anybody.

        Raises:
            GclipError: not a layout, or one out of bounds.
        """
        wanted = f"A scene's layout of up to {MAX_LAYOUT_CHARACTERS} characters was expected, but"
        if len(text) > MAX_LAYOUT_CHARACTERS:
            raise GclipError(f"{wanted} {len(text)} came; take some items out.")
        try:
            data = json.loads(text)
            ground, horizon, light, like, rows = (
                data.pop(key) for key in ("ground", "horizon", "light", "like", "items")
            )
            (gain, shift), (seed, style, things) = light, like
            items = [Item(*map(_plain, row[:-1]), bool((0, 1).index(row[-1]))) for row in rows]
            if data or type(seed) is not int or type(things) is not int:
                raise ValueError(data)
            ground = tuple(map(_plain, ground))
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise GclipError(f"{wanted} something else came; arrange() makes one.") from error
        return Layout(ground, tuple(items), horizon, (gain, shift), seed, style, things or None)


def _plain(value: Any) -> Any:
    if type(value) not in (str, int, float):
        raise TypeError(value)
    return value


def _check_number(name: str, value: Any, low: float, high: float) -> None:
    if type(value) not in (int, float) or not low <= value <= high:  # nan is in no range
        span = f"from {low:g} to {high:g}"
        raise GclipError(f"A scene's {name} is a number {span}, not {value!s:.40}.")


def _check_name(kind: str, name: Any, valid: Collection[str]) -> None:
    if not isinstance(name, str) or name not in valid:
        raise GclipError(f"There is no {kind} {name!s:.40}; there are: {', '.join(valid)}.")


def _check_start(seed: int, style: str, things: int | None) -> None:
    if things is not None and not 1 <= things <= MAX_THINGS:
        raise GclipError(f"A scene holds 1 to {MAX_THINGS} things, not {things}.")
    if not 0 <= seed < 2**63:
        raise GclipError(f"A scene's seed is a whole number from 0 to 2^63 - 1, not {seed!s:.40}.")
    styles_for(style)


@dataclass(frozen=True, eq=False)
class Scene:
    """A scene and its truth.

    image: RGB, (W, H) in Pillow's order.
    labels: (H, W) int64, each an index into `words`; every pixel has one.
    words: names of what can be seen: things first, in the order they were laid, then backgrounds.
    things, backgrounds: the two parts of `words`.
    """

    image: Image.Image
    labels: npt.NDArray[np.int64]
    words: tuple[str, ...]
    things: tuple[str, ...]
    backgrounds: tuple[str, ...]


# ------------------------------------------------------------------------------------------- art


@functools.cache
def _index() -> dict[str, Any]:
    return json.loads(assets.path("emoji", "index.json").read_text())


@functools.cache
def things() -> tuple[Word, ...]:
    """Every thing a scene can hold."""
    return tuple(
        Word(t["name"], tuple(t["synonyms"]), tuple(t["plurals"])) for t in _index()["things"]
    )


def backgrounds() -> tuple[Word, ...]:
    """Every background a scene can have."""
    return tuple(b.word for b in BACKGROUNDS)


@functools.cache
def styles() -> dict[str, Style]:
    """Every art style in the sprite sheets, by name."""
    return {
        name: Style(name, **style | {"things": tuple(style["things"])})
        for name, style in _index()["styles"].items()
    }


def styles_for(style: str) -> tuple[Style, ...]:
    """The styles that "seen", "held-out" or one's own name stand for; an error lists the names."""
    found = tuple(s for s in styles().values() if style in (s.name, s.use))
    if not found or style == "extra":
        names = ", ".join(["seen", "held-out", *styles()])
        raise GclipError(f"There is no emoji style {style!r}; there are: {names}.")
    return found


@functools.cache
def _sheet(style: str) -> Pixels:
    with Image.open(assets.path("emoji", f"{style}.webp")) as picture:
        return np.asarray(picture.convert("RGBA"))


@functools.cache
def sprite(style: str, thing: int) -> Pixels:
    """The drawing of a thing (an index into `things()`) in a style, trimmed: (h, w, 4), RGBA."""
    cell, columns = _index()["cell"], _index()["columns"]
    row, column = divmod(styles()[style].things.index(thing), columns)
    drawn = _sheet(style)[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell]
    rows, cols = np.nonzero(drawn[..., 3])
    return drawn[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]


def premultiply(rgba: Pixels) -> Pixels:
    """RGBA -> RGBA with its colour already multiplied by its alpha, as sampling needs it."""
    alpha = rgba[..., 3:].astype(np.uint16)
    colour = (rgba[..., :3] * alpha + 127) // 255
    return np.concatenate([colour.astype(np.uint8), rgba[..., 3:]], -1)


def turn(rgba: Pixels, half_tangent: float) -> Pixels:
    """A premultiplied sprite (h, w, 4) turned about its centre, on a canvas that holds it all.

    Bilinear. Not Pillow's rotate: compilers may fuse its multiplications and additions, and then
    two machines would disagree by one grey level here and there.
    """
    cosine, sine = _cosine_and_sine(half_tangent)
    h, w = rgba.shape[:2]
    tall, wide = _turned_size(h, w, cosine, sine)
    y = (np.arange(tall) - (tall - 1) / 2)[:, None]
    x = (np.arange(wide) - (wide - 1) / 2)[None, :]
    return _sample(rgba, cosine * y - sine * x + (h - 1) / 2, sine * y + cosine * x + (w - 1) / 2)


def _cosine_and_sine(half_tangent: float) -> tuple[float, float]:
    square = half_tangent * half_tangent
    return (1 - square) / (1 + square), 2 * half_tangent / (1 + square)


def _turned_size(h: int, w: int, cosine: float, sine: float) -> tuple[int, int]:
    tall = h * abs(cosine) + w * abs(sine)
    return int(tall) + 1, int(w * abs(cosine) + h * abs(sine)) + 1


def _sample(picture: Pixels, y: npt.NDArray[Any], x: npt.NDArray[Any]) -> Pixels:
    """Bilinear samples of (h, w, c) at float positions y, x (H, W); outside it is empty."""
    padded = np.pad(picture, ((1, 2), (1, 2), (0, 0))).astype(np.float32)
    h, w = picture.shape[:2]
    y, x = np.clip(y, -1, h) + 1, np.clip(x, -1, w) + 1
    y0, x0 = y.astype(np.int64), x.astype(np.int64)
    fy, fx = (y - y0).astype(np.float32)[..., None], (x - x0).astype(np.float32)[..., None]
    top = padded[y0, x0] * (1 - fx) + padded[y0, x0 + 1] * fx
    bottom = padded[y0 + 1, x0] * (1 - fx) + padded[y0 + 1, x0 + 1] * fx
    return (top * (1 - fy) + bottom * fy + np.float32(0.5)).astype(np.uint8)


def fit(rgba: Pixels, longer_side: int) -> Pixels:
    """A premultiplied sprite resized so that its longer side has that many pixels."""
    h, w = _fitted_size(*rgba.shape[:2], longer_side)
    bands = [Image.fromarray(np.ascontiguousarray(rgba[..., c])) for c in range(4)]
    return np.stack([np.asarray(b.resize((w, h), Image.Resampling.BICUBIC)) for b in bands], -1)


def _fitted_size(h: int, w: int, longer_side: int) -> tuple[int, int]:
    scale = longer_side / max(h, w)
    return max(1, int(h * scale + 0.5)), max(1, int(w * scale + 0.5))


def paste(
    image: Pixels, labels: npt.NDArray[Any], rgba: Pixels, y: int, x: int, label: int
) -> None:
    """Lay a premultiplied sprite over an image (H, W, 3) and its labels (H, W), in place."""
    h, w = rgba.shape[:2]
    top, left = max(0, y), max(0, x)
    bottom, right = min(image.shape[0], y + h), min(image.shape[1], x + w)
    if top >= bottom or left >= right:
        return
    part = rgba[top - y : bottom - y, left - x : right - x]
    under = image[top:bottom, left:right]
    seen_through = 255 - part[..., 3:].astype(np.uint16)
    over = part[..., :3] + ((under * seen_through + 127) // 255)
    under[:] = np.minimum(over, 255).astype(np.uint8)
    labels[top:bottom, left:right][part[..., 3] > 127] = label


# ----------------------------------------------------------------------------------- backgrounds


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(rng.random())


def _noise(rng: np.random.Generator, h: int, w: int, cell_h: float, cell_w: float) -> Floats:
    """Smooth noise (h, w) about 0, mostly within +-2, in blobs of about cell_h x cell_w pixels."""
    rows, columns = int(h / max(cell_h, 1)) + 2, int(w / max(cell_w, 1)) + 2
    coarse = (rng.random((rows, columns)) * 256).astype(np.uint8)
    smooth = Image.fromarray(coarse).resize((w, h), Image.Resampling.BICUBIC)
    # A uniform byte has a standard deviation of 74; interpolation takes about a third of it.
    return (np.asarray(smooth).astype(np.float32) - np.float32(127.5)) * np.float32(1 / 52)


def _wave(x: Floats) -> Floats:
    """Something like a sine of period 1, made of two parabolas (a sine differs by machine)."""
    x = x - np.floor(x)
    y = np.where(x < 0.5, x * (0.5 - x), (x - 0.5) * (x - 1)) * np.float32(16)
    return y.astype(np.float32)


def _tint(rng: np.random.Generator, *ranges: tuple[float, float]) -> Floats:
    return np.array([_between(rng, low, high) for low, high in ranges], np.float32)


def _shade(colour: Floats, change: Floats, by: Colour = (1, 1, 1)) -> Floats:
    """A flat colour (3,) and a change of brightness (h, w), weighted by channel -> (h, w, 3)."""
    return colour + change[..., None] * np.array(by, np.float32)


def _grid(h: int, w: int) -> tuple[Floats, Floats]:
    y, x = np.arange(h, dtype=np.float32)[:, None], np.arange(w, dtype=np.float32)[None, :]
    return np.broadcast_to(y, (h, w)), np.broadcast_to(x, (h, w))


def _sky(rng: np.random.Generator, h: int, w: int, u: float) -> Floats:
    y, _ = _grid(h, w)
    blue = _shade(
        _tint(rng, (70, 120), (150, 185), (220, 250)), y / h * _between(rng, 20, 70), (1, 0.7, 0.2)
    )
    clouds = np.clip(_noise(rng, h, w, 24 * u, 48 * u) - _between(rng, 0.5, 1.3), 0, 1.5)
    return blue + clouds[..., None] * _between(rng, 20, 60)


def _grass(rng: np.random.Generator, h: int, w: int, u: float) -> Floats:
    blades = _noise(rng, h, w, 7 * u, 2 * u) * _between(rng, 10, 22)
    patches = _noise(rng, h, w, 40 * u, 40 * u) * 8
    return _shade(_tint(rng, (60, 110), (130, 175), (40, 70)), blades + patches, (0.8, 1, 0.5))


def _sand(rng: np.random.Generator, h: int, w: int, u: float) -> Floats:
    y, _ = _grid(h, w)
    bent = y + _noise(rng, h, w, 30 * u, 30 * u) * 6 * u
    ripples = _wave(bent / (_between(rng, 25, 50) * u)) * _between(rng, 2, 9)
    grains = _noise(rng, h, w, 1.5 * u, 1.5 * u) * _between(rng, 4, 9)
    return _shade(_tint(rng, (205, 235), (180, 205), (125, 160)), ripples + grains)


def _water(rng: np.random.Generator, h: int, w: int, u: float) -> Floats:
    waves = _noise(rng, h, w, 3 * u, _between(rng, 14, 30) * u) * _between(rng, 10, 22)
    swell = _noise(rng, h, w, 30 * u, 60 * u) * 6
    return _shade(_tint(rng, (15, 60), (95, 150), (150, 200)), waves + swell, (0.7, 1, 1))


def _snow(rng: np.random.Generator, h: int, w: int, u: float) -> Floats:
    drifts = _noise(rng, h, w, _between(rng, 15, 30) * u, _between(rng, 20, 50) * u)
    glitter = _noise(rng, h, w, u, u) * 2
    change = drifts * _between(rng, 3, 8) + glitter
    return _shade(_tint(rng, (228, 242), (234, 246), (240, 252)), change, (1.2, 1, 0.6))


def _night(rng: np.random.Generator, h: int, w: int, u: float) -> Floats:
    y, _ = _grid(h, w)
    dark = _shade(
        _tint(rng, (5, 25), (8, 30), (35, 75)), _noise(rng, h, w, 50 * u, 50 * u) * 6 + y / h * 15
    )
    stars = int(h * w / (u * u) * _between(rng, 0.0017, 0.0043)) + 1
    rows, columns = rng.integers(0, h, stars), rng.integers(0, w, stars)
    light = (90 + 140 * rng.random(stars)).astype(np.float32)[:, None]
    big = max(1, int(u + 0.5))
    for dy in range(big):
        for dx in range(big):
            dark[np.minimum(rows + dy, h - 1), np.minimum(columns + dx, w - 1)] += light
    for dy, dx in ((big, 0), (0, big)):  # half as bright below and to the right
        dark[np.minimum(rows + dy, h - 1), np.minimum(columns + dx, w - 1)] += light * 0.5
    return dark


def _wood(rng: np.random.Generator, h: int, w: int, u: float) -> Floats:
    y, _ = _grid(h, w)
    grain = _noise(rng, h, w, 2 * u, 40 * u) * _between(rng, 8, 16)
    boards = _noise(rng, h, w, 6 * u, 80 * u) * 6
    plank = _between(rng, 18, 34) * u
    gap = np.where(y % plank < 1.5 * u, 0.6, 1.0)[..., None]
    colour = _tint(rng, (120, 175), (78, 115), (40, 65))
    return _shade(colour, grain + boards, (1, 0.8, 0.6)) * gap


def _brick(rng: np.random.Generator, h: int, w: int, u: float) -> Floats:
    y, x = _grid(h, w)
    tall = _between(rng, 8, 13) * u
    row = np.floor(y / tall)
    along = x + (row % 2) * (tall * 1.1)
    mortar = (y % tall < 1.6 * u) | (along % (tall * 2.2) < 1.6 * u)
    which = (row * 37 + np.floor(along / (tall * 2.2)) * 17).astype(np.int64) % 97
    tone = ((rng.random(97) - 0.5) * 3.4).astype(np.float32)[which] * _between(rng, 8, 18)
    rough = _noise(rng, h, w, 2 * u, 2 * u) * 5
    bricks = _shade(_tint(rng, (150, 190), (70, 95), (55, 80)), tone + rough, (1, 0.7, 0.6))
    return np.where(mortar[..., None], np.float32(_between(rng, 170, 215)), bricks)


def _road(rng: np.random.Generator, h: int, w: int, u: float) -> Floats:
    y, x = _grid(h, w)
    grey = np.full(3, _between(rng, 75, 110), np.float32)
    rough = _noise(rng, h, w, 1.5 * u, 1.5 * u) * _between(rng, 6, 12)
    asphalt = _shade(grey, rough + _noise(rng, h, w, 40 * u, 40 * u) * 5)
    shift = _between(rng, 0, 60) * u
    dash = (np.abs((y + shift) % (64 * u) - 32 * u) < 2.2 * u) & (x % (26 * u) < 15 * u)
    return np.where(dash[..., None], _tint(rng, (215, 245), (205, 240), (120, 230)), asphalt)


def _tiles(rng: np.random.Generator, h: int, w: int, u: float) -> Floats:
    y, x = _grid(h, w)
    side = _between(rng, 10, 18) * u
    light = np.full(3, _between(rng, 200, 240), np.float32)
    dark = _tint(rng, (40, 170), (60, 150), (60, 150))
    odd = (np.floor(x / side) + np.floor(y / side)) % 2 > 0
    gap = np.where((x % side < u) | (y % side < u), 0.85, 1.0)[..., None]
    soft = _noise(rng, h, w, 3 * u, 3 * u)[..., None] * 4
    return (np.where(odd[..., None], light, dark) + soft) * gap


def _curtain(rng: np.random.Generator, h: int, w: int, u: float) -> Floats:
    _, x = _grid(h, w)
    bent = x + _noise(rng, h, w, 60 * u, 30 * u) * 5 * u
    folds = _wave(bent / (_between(rng, 25, 50) * u)) * _between(rng, 20, 40)
    cloth = _noise(rng, h, w, 40 * u, 3 * u) * 6
    return _shade(_tint(rng, (140, 190), (15, 40), (25, 50)), folds + cloth, (1, 0.35, 0.35))


def _carpet(rng: np.random.Generator, h: int, w: int, u: float) -> Floats:
    y, x = _grid(h, w)
    side = _between(rng, 16, 26) * u
    across = np.abs(x % side - side / 2) + np.abs(y % side - side / 2)
    diamond = np.where(across < side * _between(rng, 0.25, 0.4), 1.0, 0.0)[..., None]
    base = _tint(rng, (90, 130), (40, 70), (110, 150))
    figure = _tint(rng, (190, 230), (160, 190), (110, 150))
    pile = _noise(rng, h, w, 1.5 * u, 1.5 * u) * _between(rng, 6, 12)
    return base + (figure - base) * np.float32(1) * diamond + pile[..., None]


def _leaves(rng: np.random.Generator, h: int, w: int, u: float) -> Floats:
    size = _between(rng, 5, 9) * u
    clumps = np.abs(_noise(rng, h, w, size, size))
    veins = np.abs(_noise(rng, h, w, size / 2, size / 2))
    change = (clumps - 0.7) * _between(rng, 25, 40) + veins * 10
    return _shade(_tint(rng, (25, 50), (75, 105), (30, 50)), change, (0.6, 1, 0.4))


@dataclass(frozen=True)
class Background:
    """A background: its words, how it is painted, and whether it can be above or below."""

    word: Word
    paint: Callable[[np.random.Generator, int, int, float], Floats]
    above: bool
    below: bool


BACKGROUNDS: tuple[Background, ...] = (
    Background(Word("sky", ("blue sky",)), _sky, True, False),
    Background(Word("grass", ("lawn", "meadow")), _grass, False, True),
    Background(Word("sand", ("desert sand", "beach")), _sand, False, True),
    Background(Word("water", ("sea", "lake")), _water, False, True),
    Background(Word("snow", ("white snow",)), _snow, False, True),
    Background(Word("night sky", ("starry sky",)), _night, True, False),
    Background(Word("wood", ("wooden planks", "wooden floor")), _wood, True, True),
    Background(Word("brick wall", ("bricks",), ("brick walls",)), _brick, True, False),
    Background(Word("road", ("asphalt", "street"), ("roads",)), _road, False, True),
    Background(Word("tiled floor", ("tiles", "floor tiles")), _tiles, False, True),
    Background(Word("curtain", ("red curtain",), ("curtains",)), _curtain, True, False),
    Background(Word("carpet", ("rug",), ("carpets",)), _carpet, False, True),
    Background(Word("leaves", ("foliage", "hedge")), _leaves, True, False),
)


def paint(rng: np.random.Generator, background: int, h: int, w: int, unit: float) -> Pixels:
    """A background (an index into BACKGROUNDS) as (h, w, 3) pixels.

    unit: how many pixels one pixel of the texture's design (a 96-pixel scene) has become.
    """
    pixels = BACKGROUNDS[background].paint(rng, h, w, unit)
    return (np.clip(pixels, 0, 255) + np.float32(0.5)).astype(np.uint8)


def choose_backgrounds(rng: np.random.Generator) -> tuple[int, ...]:
    """One background for the whole scene, or two: (above, below)."""
    if rng.random() < 0.5:
        return (int(rng.integers(len(BACKGROUNDS))),)
    above = [i for i, b in enumerate(BACKGROUNDS) if b.above]
    first = above[int(rng.integers(len(above)))]
    below = [i for i, b in enumerate(BACKGROUNDS) if b.below and i != first]
    return first, below[int(rng.integers(len(below)))]


# ----------------------------------------------------------------------------------- composition

Box = tuple[int, int, int, int]


def overlap(a: Box, b: Box) -> float:
    """Overlap of two boxes (top, left, height, width), as a share of the smaller."""
    high = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    wide = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if high <= 0 or wide <= 0:
        return 0.0
    return high * wide / min(a[2] * a[3], b[2] * b[3])


def place(
    rng: np.random.Generator, size: tuple[int, int], part: tuple[int, int], taken: Sequence[Box]
) -> Box:
    """A box of `part` (h, w) in a scene of `size` (H, W) that hides little of what is there.

    The first of two dozen random places that overlaps little enough, else the best of them.
    """
    best, least = (0, 0, *part), 2.0
    for _ in range(_PLACES):
        corner = []
        for scene, thing in zip(size, part, strict=True):
            out = int(thing * _OVERHANG)
            low, high = min(-out, scene - thing), max(scene - thing + out, 0)
            corner.append(int(rng.integers(low, high + 1)))
        box = (corner[0], corner[1], *part)
        worst = max((overlap(box, other) for other in taken), default=0.0)
        if worst < least:
            best, least = box, worst
        if least <= _OVERLAP:
            break
    return best


def _start(
    seed: int, style: str, things: int | None
) -> tuple[np.random.Generator, tuple[Style, ...], tuple[int, ...], list[int]]:
    """Generator, styles, backgrounds and things of a scene, before anything of it is drawn."""
    _check_start(seed, style, things)
    arts = styles_for(style)
    rng = np.random.Generator(np.random.PCG64(seed))
    behind = choose_backgrounds(rng)
    count = _HOW_MANY[int(rng.integers(len(_HOW_MANY)))] if things is None else things
    offered = sorted({thing for art in arts for thing in art.things})
    return rng, arts, behind, [offered[int(i)] for i in rng.permutation(len(offered))[:count]]


def _lay_backgrounds(
    rng: np.random.Generator, chosen: Sequence[int], size: tuple[int, int], horizon: float | None
) -> tuple[Pixels, npt.NDArray[np.int64], float]:
    """Image (h, w, 3), which background it is (h, w), and where the second begins, in heights.

    horizon: None where the generator decides; it is asked in either case.
    """
    h, w = size
    if h < 1 or w < 1:
        raise GclipError(f"A scene needs a size of at least 1 x 1 pixels, not {h} x {w}.")
    unit = min(h, w) / _DESIGN
    image = paint(rng, chosen[0], h, w, unit)
    which = np.zeros((h, w), np.int64)
    if len(chosen) == 1:
        return image, which, 0.5 if horizon is None else horizon
    drawn = _between(rng, 0.3, 0.7)
    row = int(h * (drawn if horizon is None else horizon))
    if row < h:
        image[row:] = paint(rng, chosen[1], h - row, w, unit)
    which[row:] = 1
    return image, which, (row + 0.5) / h


def _arrange_thing(
    rng: np.random.Generator,
    name: str,
    art: Style,
    size: tuple[int, int],
    span: tuple[float, float],
    taken: list[Box],
) -> Item:
    """A thing somewhere, perhaps mirrored, turned and sized; its box joins those taken."""
    drawing = sprite(art.name, _names().index(name)).shape[:2]
    flip = bool(rng.random() < 0.5)
    half_tangent = _between(rng, -1, 1) * _between(rng, 0, _HALF_TURN)
    u = float(rng.random())
    share = span[0] + (span[1] - span[0]) * u * (1 + u) / 2  # smaller ones a little more often
    longer = max(1, int(min(size) * share + 0.5))
    turned = _turned_size(*drawing, *_cosine_and_sine(half_tangent))
    top, left, h, w = place(rng, size, _fitted_size(*turned, longer), taken)
    taken.append((top, left, h, w))
    return Item(
        name,
        art.name,
        x=(left + w / 2) / size[1],
        y=(top + h / 2) / size[0],
        size=longer * max(drawing) / max(turned) / min(size),
        turn=half_tangent,
        flip=flip,
    )


def _arrange(
    seed: int, size: tuple[int, int], style: str, things: int | None
) -> tuple[Layout, Pixels, npt.NDArray[np.int64]]:
    """A seed's layout, and its backgrounds as `_lay_backgrounds` gives them."""
    rng, arts, behind, chosen = _start(seed, style, things)
    image, which, horizon = _lay_backgrounds(rng, behind, size, None)
    items: list[Item] = []
    taken: list[Box] = []
    for thing in chosen:
        drawn_by = [art for art in arts if thing in art.things]
        art = drawn_by[int(rng.integers(len(drawn_by)))]
        name = _names()[thing]
        items.append(_arrange_thing(rng, name, art, size, SPANS[len(chosen)], taken))
    light = (_between(rng, 0.85, 1.12), _between(rng, -10, 10))
    ground = tuple(BACKGROUNDS[i].word.name for i in behind)
    layout = Layout(ground, tuple(items), horizon, light, seed, style, things)
    return layout, image, which


# Whoever drags a thing draws the same turned thing, and the same ground, again and again.
@functools.lru_cache(64)
def _turned(style: str, thing: int, flip: bool, half_tangent: float) -> tuple[Pixels, int]:
    """A drawing mirrored and turned, premultiplied; and its longer side before."""
    drawing = sprite(style, thing)
    turned = turn(premultiply(drawing[:, ::-1] if flip else drawing), half_tangent)
    return turned, max(drawing.shape[:2])


@functools.lru_cache(4)
def _ground(layout: Layout, size: tuple[int, int]) -> tuple[Pixels, npt.NDArray[np.int64]]:
    rng = _start(layout.seed, layout.style, layout.things)[0]
    ground = [_ground_names().index(name) for name in layout.ground]
    return _lay_backgrounds(rng, ground, size, layout.horizon)[:2]


def _draw(layout: Layout, image: Pixels, which: npt.NDArray[np.int64]) -> Scene:
    """The items of a layout laid over its backgrounds (h, w, 3), in place; `which` as laid."""
    size = which.shape
    names = list(dict.fromkeys(item.thing for item in layout.items))
    labels = which + len(names)
    for item in layout.items:
        turned, side = _turned(item.style, _names().index(item.thing), item.flip, item.turn)
        longer = item.size * min(size) * max(turned.shape[:2]) / side
        laid = fit(turned, max(1, int(longer + 0.5)))
        corner = (
            int(np.floor(middle * side - part / 2 + 0.5))
            for middle, side, part in zip((item.y, item.x), size, laid.shape, strict=False)
        )
        paste(image, labels, laid, *corner, names.index(item.thing))
    gain, shift = layout.light
    table = np.clip(np.arange(256) * gain + shift + 0.5, 0, 255).astype(np.uint8)
    kept = np.unique(labels)
    words = [(*names, *layout.ground)[i] for i in kept]
    seen = int((kept < len(names)).sum())
    return Scene(
        image=Image.fromarray(table[image]),
        labels=np.searchsorted(kept, labels),
        words=tuple(words),
        things=tuple(words[:seen]),
        backgrounds=tuple(words[seen:]),
    )


def arrange(
    seed: int,
    size: tuple[int, int] = (144, 144),
    style: str = "held-out",
    things: int | None = None,
) -> Layout:
    """The layout of `compose`'s scene with the same arguments, to go on from."""
    return _arrange(seed, size, style, things)[0]


def render(layout: Layout, size: tuple[int, int] = (144, 144)) -> Scene:
    """The scene of a layout at a size (height, width); a thing that is there twice is one word."""
    image, which = _ground(replace(layout, items=()), size)
    return _draw(layout, image.copy(), which)


def compose(
    seed: int,
    size: tuple[int, int] = (144, 144),
    style: str = "held-out",
    things: int | None = None,
) -> Scene:
    """The scene of a seed.

    size: (height, width) in pixels; things and textures scale with the shorter.
    style: "held-out" (art no training saw), "seen" (each thing from any style that was trained
        on), or the name of one style.
    things: how many, 1 to 5; by default the seed decides.

    Raises:
        GclipError: an unknown style, a number of things out of range, a seed that is negative or
            too large, or an empty size.
    """
    return _draw(*_arrange(seed, size, style, things))


@functools.cache
def _names() -> tuple[str, ...]:
    return tuple(word.name for word in things())


@functools.cache
def _ground_names() -> tuple[str, ...]:
    return tuple(background.word.name for background in BACKGROUNDS)
