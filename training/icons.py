"""More drawings of the same things, for training only: plain icons, and second emoji.

    python -m training.icons [--packages FOLDER] [--out assets/emoji]

Seven emoji styles are seven hands. What tells a frog from a turtle in an eighth hand is its shape,
so training also meets the things as icons (signs for maps, menus, games), in colours drawn by lot,
and as what else the seven styles drew of them: the bus from the front, the whole cat. Writes
`icons.webp`, cells of 128 px like the emoji sheets'. Icons are grey and transparency alone: black
where the ink is, white where ink encloses something. `icons.json` says whose each cell is.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from gclip_core import assets
from training import sprites
from training.sprites import CELL, HARDEST, HELD_OUT, draw, folders, install, svg
from training.things import SECONDS, THINGS, Thing

COLUMNS = 24
SHEET = "icons.webp"
INDEX = "icons.json"

# collection -> (version, licence, author, how its icons' names may be made of a thing's).
_Icons = tuple[str, str, str, tuple[str, ...]]
PACKAGES: dict[str, _Icons] = {
    "fluent-emoji-high-contrast": ("1.2.6", "MIT", "Microsoft Corporation", ("{}",)),
    "game-icons": ("1.2.4", "CC-BY-3.0", "GameIcons contributors", ("{}",)),
    "mdi": ("1.2.3", "Apache-2.0", "Pictogrammers", ("{}",)),
    "ph": ("1.2.2", "MIT", "Phosphor Icons", ("{}-fill",)),
    "fa6-solid": ("1.2.4", "CC-BY-4.0", "Dave Gandy (Font Awesome)", ("{}",)),
    "temaki": ("1.2.6", "CC0-1.0", "Bryan Housel and contributors", ("{}",)),
    "icon-park": ("1.2.4", "Apache-2.0", "ByteDance", ("{}",)),
    "tabler": ("1.2.41", "MIT", "Paweł Kuna", ("{}-filled", "{}")),
    "streamline-plump-color": ("1.2.2", "CC-BY-4.0", "Streamline", ("{}",)),
    "streamline-color": ("1.2.2", "CC-BY-4.0", "Streamline", ("{}",)),
    "streamline-flex-color": ("1.2.2", "CC-BY-4.0", "Streamline", ("{}",)),
    "streamline-cyber-color": ("1.2.2", "CC-BY-4.0", "Streamline", ("{}", "{}-1")),
    "hugeicons": ("1.2.35", "MIT", "Hugeicons", ("{}", "{}-01")),
    "lucide": ("1.2.137", "ISC", "Lucide Contributors", ("{}",)),
    "lucide-lab": ("1.2.3", "ISC", "Lucide Contributors", ("{}",)),
    "boxicons": ("1.2.0", "MIT", "Boxicons", ("{}-filled", "{}")),
    "mingcute": (
        "1.2.8",
        "Apache-2.0",
        "MingCute Design",
        ("{}-fill", "{}-fruit-fill", "{}-1-fill"),
    ),
    "pinhead": ("1.2.28", "CC0-1.0", "Quincy Morgan", ("{}", "{}-sitting", "{}-face")),
    "griddy-icons": ("1.2.0", "MIT", "Zuzana Benova", ("{}-filled", "{}")),
    "ri": ("1.2.10", "Apache-2.0", "Remix Design", ("{}-fill",)),
    "dinkie-icons": ("1.2.0", "MIT", "atelierAnchor", ("{}-filled", "{}", "{}-small")),
    "iconoir": ("1.2.11", "MIT", "Luca Burgio", ("{}-solid", "{}")),
    "fluent": (
        "1.2.60",
        "MIT",
        "Microsoft Corporation",
        tuple(f"{kind}{{}}-24-filled" for kind in ("", "animal-", "food-", "vehicle-")),
    ),
    "solar": ("1.2.13", "CC-BY-4.0", "480 Design", ("{}-bold",)),
    "cil": ("1.2.3", "CC-BY-4.0", "creativeLabs Łukasz Holeczek", ("{}",)),
}
# What these collections mean by a name where they mean something else: a hand by "palm", a plug by
# "lamp", a rugby ball by "football", a suit of cards by "diamond", a company by "apple".
WRONG: frozenset[tuple[str, str]] = frozenset(
    {
        ("fa6-solid", "tree"),
        ("icon-park", "palm"),
        ("icon-park", "chicken"),
        ("icon-park", "trumpet"),
        ("icon-park", "scissors"),
        ("icon-park", "anchor"),
        ("icon-park", "lamp"),
        ("icon-park", "phone"),
        ("mdi", "lamp"),
        ("ph", "lamp-fill"),
        ("tabler", "lamp"),
        ("mdi", "football"),
        ("fa6-solid", "football"),
        ("ph", "football-fill"),
        ("tabler", "bike-filled"),
        ("tabler", "bicycle-filled"),
        ("tabler", "bike"),
        ("tabler", "bicycle"),
        ("temaki", "tennis"),
        ("temaki", "coffee"),
        ("temaki", "telephone"),
        ("temaki", "diamond"),
        ("temaki", "clock"),
        ("ph", "diamond-fill"),
        ("ph", "clock-fill"),
        ("fa6-solid", "diamond"),
        ("fa6-solid", "clock"),
        ("tabler", "clock-filled"),
        ("tabler", "clock"),
        ("streamline-plump-color", "bell"),
        ("streamline-flex-color", "bell"),
        ("mingcute", "chicken-fill"),
        ("boxicons", "tree-filled"),
        ("mingcute", "tree-fill"),
        ("boxicons", "coffee-filled"),
        ("solar", "cup-bold"),
        ("lucide", "bike"),
        ("cil", "bike"),
        ("iconoir", "hat"),
        ("hugeicons", "sunglasses"),
        ("griddy-icons", "toilet-filled"),
        ("hugeicons", "diamond"),
        ("lucide", "diamond"),
        ("boxicons", "diamond-filled"),
        ("mingcute", "diamond-fill"),
        ("pinhead", "diamond"),
        ("fluent", "diamond-24-filled"),
        ("hugeicons", "moon"),
        ("cil", "taxi"),
        ("solar", "plane-bold"),
        ("mingcute", "clock-fill"),
        ("fluent", "phone-24-filled"),
        ("hugeicons", "lamp"),
        ("lucide", "lamp"),
        ("solar", "lamp-bold"),
        ("hugeicons", "lock"),
        ("ri", "bell-fill"),
        ("hugeicons", "apple"),
        ("mingcute", "apple-fill"),
        ("ri", "apple-fill"),
        ("iconoir", "bed"),
        ("hugeicons", "snail"),
    }
    | {(c, p.format("egg")) for c, (*_, patterns) in PACKAGES.items() for p in patterns}
)


def names(thing: Thing) -> list[str]:
    """What an icon of a thing may be called, likeliest first."""
    given = (thing.name, *thing.synonyms, *thing.icons)
    return list(dict.fromkeys(n.replace(" ", "-").replace("'", "") for n in given))


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


def _collection(packages: Path, name: str) -> dict[str, Any]:
    folder = packages / "node_modules" / "@iconify-json" / name
    icons: dict[str, Any] = json.loads((folder / "icons.json").read_text())
    return icons


def plain(packages: Path) -> list[Found]:
    """The first icon of every thing that a collection has under an exact name, as ink."""
    found = []
    for collection, (*_, patterns) in PACKAGES.items():
        icons = _collection(packages, collection)
        for i, thing in enumerate(THINGS):
            for name in (p.format(n) for n in names(thing) for p in patterns):
                source = None if (collection, name) in WRONG else svg(icons, name)
                if source is not None:
                    # resvg draws "currentColor" black, which is the ink.
                    found.append((i, collection, name, enclosed(draw(source))))
                    break
    return found


def seconds(packages: Path) -> list[Found]:
    """What the emoji styles that are trained on drew of a thing besides its first drawing."""
    found = []
    for style in (s for s in sprites.PACKAGES if s not in (HELD_OUT, HARDEST)):
        icons = _collection(packages, style)
        for i, thing in enumerate(THINGS):
            first = next((n for n in thing.icons if svg(icons, n)), None)
            for name in SECONDS.get(thing.name, ()):
                source = svg(icons, name) if name != first else None
                if source is not None and (style, name) not in WRONG:
                    found.append((i, style, name, draw(source)))
    return found


def build(packages: Path, out: Path) -> None:
    """Write the sheet and its index."""
    found = plain(packages) + seconds(packages)  # apart: lossy colour reaches into its neighbours
    rows = -(-len(found) // COLUMNS)
    sheet = Image.new("RGBA", (COLUMNS * CELL, rows * CELL))
    for n, (*_, cell) in enumerate(found):
        sheet.paste(cell.convert("RGBA"), (n % COLUMNS * CELL, n // COLUMNS * CELL))
    pixels = np.asarray(sheet).copy()
    pixels[pixels[..., 3] == 0] = 0
    # Training alone reads it, and distorts it anyway: not worth a lossless sheet's bytes.
    Image.fromarray(pixels).save(out / SHEET, quality=80, alpha_quality=80, method=6)
    index = {
        "cell": CELL,
        "columns": COLUMNS,
        "collections": {
            name: {
                "package": f"@iconify-json/{name}",
                "version": v,
                "licence": licence,
                "author": a,
            }
            for name, (v, licence, a, _) in PACKAGES.items()
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
    packages, out = folders("Rebuild the sheet of icons.")
    wanted = {**PACKAGES, **sprites.PACKAGES}
    install(packages, {name: entry[0] for name, entry in wanted.items()})
    build(packages, out)


if __name__ == "__main__":
    main()
