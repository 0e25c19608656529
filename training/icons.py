"""More drawings of the same things, for training only: plain icons, and second emoji.

    python -m training.icons [--packages FOLDER] [--out assets/emoji]

Seven emoji styles are seven hands. What tells a frog from a turtle in an eighth hand is its shape,
so training also meets the things as icons (signs for maps, menus, games), in colours drawn by lot,
and as what else the seven styles drew of them: the bus from the front, the whole cat. Writes
`icons.webp`, cells of 128 px like the emoji sheets'. Icons are grey and transparency alone: black
where the ink is, white where ink encloses something. `icons.json` says whose each cell is.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from gclip_core import assets
from training import sprites
from training.sprites import CELL, draw, svg
from training.things import SECONDS, THINGS, Thing, split, table

COLUMNS = 24
SHEET = "icons.webp"
INDEX = "icons.json"


@dataclass(frozen=True)
class Collection:
    """A line of `icons.txt`; `wrong` are icons that show something else than their name says."""

    version: str
    licence: str
    author: str
    patterns: tuple[str, ...]
    wrong: tuple[str, ...]


def _collections() -> Iterator[tuple[str, Collection]]:
    for line in table("icons.txt"):
        name, version, licence, author, patterns, *wrong = split(line, "|")
        wrong = split("".join(wrong), ",")
        yield name, Collection(version, licence, author, split(patterns, ","), wrong)


PACKAGES: dict[str, Collection] = dict(_collections())


def names(thing: Thing) -> list[str]:
    """What an icon of a thing may be called, likeliest first; of an egg none is fried."""
    given = (thing.name, *thing.synonyms, *thing.icons)
    found = dict.fromkeys(n.replace(" ", "-").replace("'", "") for n in given)
    return [name for name in found if name != "egg"]


def enclosed(cell: Image.Image) -> Image.Image:
    """A coloured cell (RGBA) as grey and transparency (LA), what its ink encloses made white."""
    grey, ink = cell.convert("L"), cell.getchannel("A")
    walls = Image.new("L", (CELL + 2, CELL + 2), 0)  # a way round the outside
    walls.paste(ink.point(lambda a: 255 if a > 60 else 0), (1, 1))
    ImageDraw.floodfill(walls, (0, 0), 128)
    inside = walls.crop((1, 1, CELL + 1, CELL + 1)).point(lambda v: 255 if v == 0 else 0)
    white = Image.new("LA", cell.size, (255, 0))
    white.putalpha(inside)
    drawn = Image.merge("LA", (grey, ink))
    return Image.alpha_composite(white.convert("RGBA"), drawn.convert("RGBA")).convert("LA")


Found = tuple[int, str, str, Image.Image]  # thing, collection, name, cell


def plain(packages: Path) -> list[Found]:
    """The first icon of every thing that a collection has under an exact name, as ink."""
    found = []
    for package, made in PACKAGES.items():
        icons = sprites.collection(packages, package)
        for i, thing in enumerate(THINGS):
            for name in (p.format(n) for n in names(thing) for p in made.patterns):
                source = None if name in made.wrong else svg(icons, name)
                if source is not None:
                    # resvg draws "currentColor" black, which is the ink.
                    found.append((i, package, name, enclosed(draw(source))))
                    break
    return found


def seconds(packages: Path) -> list[Found]:
    """What the emoji styles that are trained on drew of a thing besides its first drawing."""
    found = []
    for style in (s for s in sprites.PACKAGES if s not in (sprites.HELD_OUT, sprites.HARDEST)):
        icons = sprites.collection(packages, style)
        for i, thing in enumerate(THINGS):
            first = next((n for n in thing.icons if svg(icons, n)), None)
            for name in SECONDS.get(thing.name, ()):
                source = svg(icons, name) if name != first else None
                if source is not None:
                    found.append((i, style, name, draw(source)))
    return found


def build(packages: Path, out: Path) -> None:
    """Write the sheet and its index."""
    found = plain(packages) + seconds(packages)  # apart: lossy colour reaches into its neighbours
    picture = sprites.sheet([cell.convert("RGBA") for *_, cell in found], COLUMNS)
    # Training alone reads it, and distorts it anyway: not worth a lossless sheet's bytes.
    picture.save(out / SHEET, quality=80, alpha_quality=80, method=6)
    index = {
        "cell": CELL,
        "columns": COLUMNS,
        "collections": {
            name: {"package": f"@iconify-json/{name}"}
            | {key: getattr(made, key) for key in ("version", "licence", "author")}
            for name, made in PACKAGES.items()
        },
        "icons": [[i, collection, name] for i, collection, name, _ in found],
    }
    (out / INDEX).write_text(json.dumps(index) + "\n")
    print(f"{len(found)} drawings of {len({f[0] for f in found})} things")


@dataclass(frozen=True)
class Drawing:
    """A drawing of a thing, (128, 128, 4) uint8; ink: grey, and only its shape is meant."""

    pixels: npt.NDArray[np.uint8]
    ink: bool


def load() -> list[list[Drawing]]:
    """More drawings of each thing."""
    folder = assets.path("emoji")
    index = json.loads((folder / INDEX).read_text())
    cell, columns = index["cell"], index["columns"]
    pixels = np.asarray(Image.open(folder / SHEET).convert("RGBA"))
    drawings: list[list[Drawing]] = [[] for _ in THINGS]
    for n, (thing, collection, _) in enumerate(index["icons"]):
        top, left = n // columns * cell, n % columns * cell
        part = pixels[top : top + cell, left : left + cell]
        drawings[thing].append(Drawing(part, collection in index["collections"]))
    return drawings


def main() -> None:
    packages, out = sprites.folders("Rebuild the sheet of icons.")
    wanted = {name: made.version for name, made in PACKAGES.items()}
    sprites.install(
        packages, wanted | {style: entry[0] for style, entry in sprites.PACKAGES.items()}
    )
    build(packages, out)


if __name__ == "__main__":
    main()
