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
Labels = npt.NDArray[np.int64]
Size = tuple[int, int]
"""Height and width in pixels."""
Box = tuple[int, int, int, int]
"""Top, left, height and width."""

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


# ------------------------------------------------------------------------------ scenes and layouts


@dataclass(frozen=True, eq=False)
class Scene:
    """A scene and its truth.

    image: RGB.
    labels: (H, W) int64, each an index into `words`; every pixel has one.
    things, backgrounds: what can be seen, things in the order they were laid.
    """

    image: Image.Image
    labels: Labels
    things: tuple[str, ...]
    backgrounds: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        return self.things + self.backgrounds


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
    """What is where in a scene, at whatever size it is drawn; refused where it cannot be drawn.

    ground: one background, or two, (above, below), that meet at `horizon`, in heights.
    items: from the backmost to the foremost.
    light: gain and shift of all grey levels.
    seed, style, things: the grounds get the textures of the scene that `compose` makes of these.
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
        for name in self.ground:
            _check_name("background", name, _ground_names())
        if len(set(self.ground)) != len(self.ground) or len(self.ground) not in (1, 2):
            raise GclipError(f"A scene has 1 or 2 different backgrounds, not {self.ground!s:.60}.")
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
        """The layout that `to_json` wrote, or anybody; a GclipError where it is none."""
        wanted = f"A scene's layout of up to {MAX_LAYOUT_CHARACTERS} characters was expected, but"
        if len(text) > MAX_LAYOUT_CHARACTERS:
            raise GclipError(f"{wanted} {len(text)} came; take some items out.")
        try:
            data = json.loads(text)
            ground, horizon, light, like, rows = (
                data.pop(key) for key in ("ground", "horizon", "light", "like", "items")
            )
            (gain, shift), (seed, style, things) = light, like
            items = tuple(Item(*row[:-1], bool((0, 1).index(row[-1]))) for row in rows)
            if data or type(seed) is not int or type(things) is not int:
                raise ValueError(data)
            ground = tuple(ground)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise GclipError(f"{wanted} something else came; arrange() makes one.") from error
        return Layout(ground, items, horizon, (gain, shift), seed, style, things or None)


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


# ------------------------------------------------------------------------------------------- art


@dataclass(frozen=True)
class Word:
    """A thing or a background: its name, other names for it, and its plurals."""

    name: str
    synonyms: tuple[str, ...] = ()
    plurals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Style:
    """One emoji package: its licence, what it is used for, and which things it draws.

    `use` is "seen" (trained on), "held-out" (never trained on, what quality is measured on) or
    "extra" (never trained on either).
    """

    name: str
    licence: str
    use: str
    things: tuple[int, ...]


@functools.cache
def _index() -> dict[str, Any]:
    return json.loads(assets.path("emoji", "index.json").read_text())


@functools.cache
def things() -> tuple[Word, ...]:
    """Every thing a scene can hold."""
    return tuple(
        Word(t["name"], tuple(t["synonyms"]), tuple(t["plurals"])) for t in _index()["things"]
    )


@functools.cache
def _names() -> tuple[str, ...]:
    return tuple(word.name for word in things())


@functools.cache
def styles() -> dict[str, Style]:
    """Every art style in the sprite sheets, by name."""
    return {
        name: Style(name, style["licence"], style["use"], tuple(style["things"]))
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
    square = half_tangent * half_tangent
    cosine, sine = (1 - square) / (1 + square), 2 * half_tangent / (1 + square)
    h, w = rgba.shape[:2]
    tall = int(h * abs(cosine) + w * abs(sine)) + 1
    wide = int(w * abs(cosine) + h * abs(sine)) + 1
    y = (np.arange(tall) - (tall - 1) / 2)[:, None]
    x = (np.arange(wide) - (wide - 1) / 2)[None, :]
    # Where each pixel comes from, in a sprite with one empty pixel around it.
    padded = np.pad(rgba, ((1, 2), (1, 2), (0, 0))).astype(np.float32)
    from_y = np.clip(cosine * y - sine * x + (h - 1) / 2, -1, h) + 1
    from_x = np.clip(sine * y + cosine * x + (w - 1) / 2, -1, w) + 1
    y0, x0 = from_y.astype(np.int64), from_x.astype(np.int64)
    fy, fx = ((at - at.astype(np.int64)).astype(np.float32)[..., None] for at in (from_y, from_x))
    top = padded[y0, x0] * (1 - fx) + padded[y0, x0 + 1] * fx
    bottom = padded[y0 + 1, x0] * (1 - fx) + padded[y0 + 1, x0 + 1] * fx
    return (top * (1 - fy) + bottom * fy + np.float32(0.5)).astype(np.uint8)


def fit(rgba: Pixels, longer_side: int) -> Pixels:
    """A premultiplied sprite resized so that its longer side has that many pixels."""
    h, w = _fitted_size(rgba.shape[:2], longer_side)
    bands = [Image.fromarray(np.ascontiguousarray(rgba[..., c])) for c in range(4)]
    return np.stack([np.asarray(b.resize((w, h), Image.Resampling.BICUBIC)) for b in bands], -1)


def _fitted_size(size: Size, longer_side: int) -> Size:
    scale = longer_side / max(size)
    return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))


def paste(image: Pixels, labels: npt.NDArray, rgba: Pixels, y: int, x: int, label: int) -> None:
    """Lay a premultiplied sprite over an image (H, W, 3) and its labels (H, W), in place."""
    top, left = max(0, y), max(0, x)
    part = rgba[top - y :, left - x :][: max(0, len(image) - top), : max(0, image.shape[1] - left)]
    there = np.s_[top : top + part.shape[0], left : left + part.shape[1]]
    seen_through = 255 - part[..., 3:].astype(np.uint16)
    over = part[..., :3] + ((image[there] * seen_through + 127) // 255)
    image[there] = np.minimum(over, 255).astype(np.uint8)
    labels[there][part[..., 3] > 127] = label


# ----------------------------------------------------------------------------------- backgrounds


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(rng.random())


@dataclass(frozen=True)
class _Canvas:
    """What a background is painted on: (h, w) pixels, ``u`` of them for one of its design."""

    rng: np.random.Generator
    h: int
    w: int
    u: float

    @property
    def y(self) -> Floats:
        return np.broadcast_to(np.arange(self.h, dtype=np.float32)[:, None], (self.h, self.w))

    @property
    def x(self) -> Floats:
        return np.broadcast_to(np.arange(self.w, dtype=np.float32), (self.h, self.w))

    def between(self, low: float, high: float) -> float:
        return _between(self.rng, low, high)

    def tint(self, *ranges: tuple[float, float]) -> Floats:
        return np.array([self.between(low, high) for low, high in ranges], np.float32)

    def noise(self, tall: float, wide: float) -> Floats:
        """Smooth noise (h, w) about 0, mostly within +-2, in blobs of ``tall`` x ``wide`` u."""
        rows = int(self.h / max(tall * self.u, 1)) + 2
        columns = int(self.w / max(wide * self.u, 1)) + 2
        coarse = (self.rng.random((rows, columns)) * 256).astype(np.uint8)
        smooth = Image.fromarray(coarse).resize((self.w, self.h), Image.Resampling.BICUBIC)
        # A uniform byte has a standard deviation of 74; interpolation takes about a third of it.
        return (np.asarray(smooth).astype(np.float32) - np.float32(127.5)) * np.float32(1 / 52)


def _wave(x: Floats) -> Floats:
    """Something like a sine of period 1, made of two parabolas (a sine differs by machine)."""
    x = x - np.floor(x)
    y = np.where(x < 0.5, x * (0.5 - x), (x - 0.5) * (x - 1)) * np.float32(16)
    return y.astype(np.float32)


def _shade(colour: Floats, change: Floats, by: tuple[float, float, float] = (1, 1, 1)) -> Floats:
    """A flat colour (3,) and a change of brightness (h, w), weighted by channel -> (h, w, 3)."""
    return colour + change[..., None] * np.array(by, np.float32)


def _sky(c: _Canvas) -> Floats:
    colour = c.tint((70, 120), (150, 185), (220, 250))
    blue = _shade(colour, c.y / c.h * c.between(20, 70), (1, 0.7, 0.2))
    clouds = np.clip(c.noise(24, 48) - c.between(0.5, 1.3), 0, 1.5)
    return blue + clouds[..., None] * c.between(20, 60)


def _grass(c: _Canvas) -> Floats:
    change = c.noise(7, 2) * c.between(10, 22) + c.noise(40, 40) * 8
    return _shade(c.tint((60, 110), (130, 175), (40, 70)), change, (0.8, 1, 0.5))


def _sand(c: _Canvas) -> Floats:
    bent = c.y + c.noise(30, 30) * 6 * c.u
    ripples = _wave(bent / (c.between(25, 50) * c.u)) * c.between(2, 9)
    grains = c.noise(1.5, 1.5) * c.between(4, 9)
    return _shade(c.tint((205, 235), (180, 205), (125, 160)), ripples + grains)


def _water(c: _Canvas) -> Floats:
    waves = c.noise(3, c.between(14, 30)) * c.between(10, 22)
    swell = c.noise(30, 60) * 6
    return _shade(c.tint((15, 60), (95, 150), (150, 200)), waves + swell, (0.7, 1, 1))


def _snow(c: _Canvas) -> Floats:
    drifts = c.noise(c.between(15, 30), c.between(20, 50))
    glitter = c.noise(1, 1) * 2
    change = drifts * c.between(3, 8) + glitter
    return _shade(c.tint((228, 242), (234, 246), (240, 252)), change, (1.2, 1, 0.6))


def _night(c: _Canvas) -> Floats:
    colour = c.tint((5, 25), (8, 30), (35, 75))
    dark = _shade(colour, c.noise(50, 50) * 6 + c.y / c.h * 15)
    stars = int(c.h * c.w / (c.u * c.u) * c.between(0.0017, 0.0043)) + 1
    rows, columns = c.rng.integers(0, c.h, stars), c.rng.integers(0, c.w, stars)
    light = (90 + 140 * c.rng.random(stars)).astype(np.float32)[:, None]
    big = max(1, int(c.u + 0.5))
    places = [(dy, dx, 1.0) for dy in range(big) for dx in range(big)]
    for dy, dx, share in (*places, (big, 0, 0.5), (0, big, 0.5)):  # dimmer below, and to the right
        dark[np.minimum(rows + dy, c.h - 1), np.minimum(columns + dx, c.w - 1)] += light * share
    return dark


def _wood(c: _Canvas) -> Floats:
    grain = c.noise(2, 40) * c.between(8, 16)
    boards = c.noise(6, 80) * 6
    plank = c.between(18, 34) * c.u
    gap = np.where(c.y % plank < 1.5 * c.u, 0.6, 1.0)[..., None]
    colour = c.tint((120, 175), (78, 115), (40, 65))
    return _shade(colour, grain + boards, (1, 0.8, 0.6)) * gap


def _brick(c: _Canvas) -> Floats:
    tall = c.between(8, 13) * c.u
    row = np.floor(c.y / tall)
    along = c.x + (row % 2) * (tall * 1.1)
    mortar = (c.y % tall < 1.6 * c.u) | (along % (tall * 2.2) < 1.6 * c.u)
    which = (row * 37 + np.floor(along / (tall * 2.2)) * 17).astype(np.int64) % 97
    tone = ((c.rng.random(97) - 0.5) * 3.4).astype(np.float32)[which] * c.between(8, 18)
    rough = c.noise(2, 2) * 5
    bricks = _shade(c.tint((150, 190), (70, 95), (55, 80)), tone + rough, (1, 0.7, 0.6))
    return np.where(mortar[..., None], np.float32(c.between(170, 215)), bricks)


def _road(c: _Canvas) -> Floats:
    grey = np.full(3, c.between(75, 110), np.float32)
    rough = c.noise(1.5, 1.5) * c.between(6, 12)
    asphalt = _shade(grey, rough + c.noise(40, 40) * 5)
    shift = c.between(0, 60) * c.u
    beside = np.abs((c.y + shift) % (64 * c.u) - 32 * c.u)
    dash = (beside < 2.2 * c.u) & (c.x % (26 * c.u) < 15 * c.u)
    return np.where(dash[..., None], c.tint((215, 245), (205, 240), (120, 230)), asphalt)


def _tiles(c: _Canvas) -> Floats:
    side = c.between(10, 18) * c.u
    light = np.full(3, c.between(200, 240), np.float32)
    dark = c.tint((40, 170), (60, 150), (60, 150))
    odd = (np.floor(c.x / side) + np.floor(c.y / side)) % 2 > 0
    gap = np.where((c.x % side < c.u) | (c.y % side < c.u), 0.85, 1.0)[..., None]
    return (np.where(odd[..., None], light, dark) + c.noise(3, 3)[..., None] * 4) * gap


def _curtain(c: _Canvas) -> Floats:
    bent = c.x + c.noise(60, 30) * 5 * c.u
    folds = _wave(bent / (c.between(25, 50) * c.u)) * c.between(20, 40)
    cloth = c.noise(40, 3) * 6
    return _shade(c.tint((140, 190), (15, 40), (25, 50)), folds + cloth, (1, 0.35, 0.35))


def _carpet(c: _Canvas) -> Floats:
    side = c.between(16, 26) * c.u
    across = np.abs(c.x % side - side / 2) + np.abs(c.y % side - side / 2)
    diamond = np.where(across < side * c.between(0.25, 0.4), 1.0, 0.0)[..., None]
    base, figure = (
        c.tint((90, 130), (40, 70), (110, 150)),
        c.tint((190, 230), (160, 190), (110, 150)),
    )
    pile = c.noise(1.5, 1.5) * c.between(6, 12)
    return base + (figure - base) * np.float32(1) * diamond + pile[..., None]


def _leaves(c: _Canvas) -> Floats:
    size = c.between(5, 9)
    clumps, veins = np.abs(c.noise(size, size)), np.abs(c.noise(size / 2, size / 2))
    change = (clumps - 0.7) * c.between(25, 40) + veins * 10
    return _shade(c.tint((25, 50), (75, 105), (30, 50)), change, (0.6, 1, 0.4))


@dataclass(frozen=True)
class Background:
    """A background: its words, how it is painted, and whether it can be above or below."""

    word: Word
    paint: Callable[[_Canvas], Floats]
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


def backgrounds() -> tuple[Word, ...]:
    """Every background a scene can have."""
    return tuple(b.word for b in BACKGROUNDS)


@functools.cache
def _ground_names() -> tuple[str, ...]:
    return tuple(word.name for word in backgrounds())


def paint(rng: np.random.Generator, background: int, h: int, w: int, unit: float) -> Pixels:
    """A background (an index into BACKGROUNDS) as (h, w, 3) pixels.

    unit: how many pixels one pixel of the texture's design (a 96-pixel scene) has become.
    """
    pixels = BACKGROUNDS[background].paint(_Canvas(rng, h, w, unit))
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


def overlap(a: Box, b: Box) -> float:
    """Overlap of two boxes, as a share of the smaller."""
    high = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    wide = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(0, high) * max(0, wide) / min(a[2] * a[3], b[2] * b[3])


def place(rng: np.random.Generator, size: Size, part: Size, taken: Sequence[Box]) -> Box:
    """A box of the size `part` in a scene that hides little of what is there.

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
    rng: np.random.Generator, chosen: Sequence[int], size: Size, horizon: float | None
) -> tuple[Pixels, Labels, float]:
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


def _arrange(
    seed: int, size: Size, style: str, things: int | None
) -> tuple[Layout, Pixels, Labels]:
    """A seed's layout, and its backgrounds as `_lay_backgrounds` gives them."""
    rng, arts, behind, chosen = _start(seed, style, things)
    image, which, horizon = _lay_backgrounds(rng, behind, size, None)
    smallest, largest = SPANS[len(chosen)]
    items: list[Item] = []
    taken: list[Box] = []
    for thing in chosen:
        drawn_by = [art for art in arts if thing in art.things]
        art, name = drawn_by[int(rng.integers(len(drawn_by)))].name, _names()[thing]
        flip = bool(rng.random() < 0.5)
        half_tangent = _between(rng, -1, 1) * _between(rng, 0, _HALF_TURN)
        u = float(rng.random())
        share = smallest + (largest - smallest) * u * (1 + u) / 2  # small ones a little more often
        longer = max(1, int(min(size) * share + 0.5))
        turned, side = _turned(art, name, flip, half_tangent)
        top, left, h, w = place(rng, size, _fitted_size(turned.shape[:2], longer), taken)
        taken.append((top, left, h, w))
        x, y = (left + w / 2) / size[1], (top + h / 2) / size[0]
        upright = longer * side / max(turned.shape[:2]) / min(size)
        items.append(Item(name, art, x, y, upright, half_tangent, flip))
    light = (_between(rng, 0.85, 1.12), _between(rng, -10, 10))
    ground = tuple(_ground_names()[i] for i in behind)
    return Layout(ground, tuple(items), horizon, light, seed, style, things), image, which


# A thing is turned to be arranged and drawn, and whoever drags it draws it and its ground again.
@functools.lru_cache(64)
def _turned(style: str, thing: str, flip: bool, half_tangent: float) -> tuple[Pixels, int]:
    """A drawing mirrored and turned, premultiplied; and its longer side before."""
    drawing = sprite(style, _names().index(thing))
    turned = turn(premultiply(drawing[:, ::-1] if flip else drawing), half_tangent)
    return turned, max(drawing.shape[:2])


@functools.lru_cache(4)
def _ground(layout: Layout, size: Size) -> tuple[Pixels, Labels]:
    rng = _start(layout.seed, layout.style, layout.things)[0]
    ground = [_ground_names().index(name) for name in layout.ground]
    return _lay_backgrounds(rng, ground, size, layout.horizon)[:2]


def _draw(layout: Layout, image: Pixels, which: Labels) -> Scene:
    """The items of a layout laid over its backgrounds (h, w, 3), in place; `which` as laid."""
    size = which.shape
    names = list(dict.fromkeys(item.thing for item in layout.items))
    labels = which + len(names)
    for item in layout.items:
        turned, side = _turned(item.style, item.thing, item.flip, item.turn)
        longer = item.size * min(size) * max(turned.shape[:2]) / side
        laid = fit(turned, max(1, int(longer + 0.5)))
        top = int(np.floor(item.y * size[0] - laid.shape[0] / 2 + 0.5))
        left = int(np.floor(item.x * size[1] - laid.shape[1] / 2 + 0.5))
        paste(image, labels, laid, top, left, names.index(item.thing))
    gain, shift = layout.light
    table = np.clip(np.arange(256) * gain + shift + 0.5, 0, 255).astype(np.uint8)
    kept = np.unique(labels)
    return Scene(
        image=Image.fromarray(table[image]),
        labels=np.searchsorted(kept, labels),
        things=tuple(names[i] for i in kept if i < len(names)),
        backgrounds=tuple(layout.ground[i - len(names)] for i in kept if i >= len(names)),
    )


def arrange(
    seed: int, size: Size = (144, 144), style: str = "held-out", things: int | None = None
) -> Layout:
    """The layout of `compose`'s scene with the same arguments, to go on from."""
    return _arrange(seed, size, style, things)[0]


def render(layout: Layout, size: Size = (144, 144)) -> Scene:
    """The scene of a layout at a size; a thing that is there twice is one word."""
    image, which = _ground(replace(layout, items=()), size)
    return _draw(layout, image.copy(), which)


def compose(
    seed: int, size: Size = (144, 144), style: str = "held-out", things: int | None = None
) -> Scene:
    """The scene of a seed; a GclipError where there can be none.

    size: (height, width) in pixels; things and textures scale with the shorter.
    style: "held-out" (art no training saw), "seen" (each thing from any style that was trained
        on), or the name of one style.
    things: how many, 1 to 5; by default the seed decides.
    """
    return _draw(*_arrange(seed, size, style, things))
