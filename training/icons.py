"""Plain icons of the same things: shapes without colours, for training only.

    python -m training.icons [--packages FOLDER] [--out assets/emoji]

Seven emoji styles are seven hands. What tells a frog from a turtle in an eighth hand is its shape,
so training also meets the things as icons (signs for maps, menus, games), in colours drawn by lot.
Writes `icons.webp`, cells of 128 px like the emoji sheets' but grey and transparency alone: black
where the ink is, white where ink encloses something. `icons.json` says whose each cell is.
"""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from gclip_core import assets
from training.sprites import CELL, draw, folders, install, svg
from training.things import THINGS, Thing

COLUMNS = 24
SHEET = "icons.webp"
INDEX = "icons.json"

# collection -> (version, licence, author, endings its filled icons' names may have).
PACKAGES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "fluent-emoji-high-contrast": ("1.2.6", "MIT", "Microsoft Corporation", ("",)),
    "game-icons": ("1.2.4", "CC-BY-3.0", "GameIcons contributors", ("",)),
    "mdi": ("1.2.3", "Apache-2.0", "Pictogrammers", ("",)),
    "ph": ("1.2.2", "MIT", "Phosphor Icons", ("-fill",)),
    "fa6-solid": ("1.2.4", "CC-BY-4.0", "Dave Gandy (Font Awesome)", ("",)),
    "temaki": ("1.2.6", "CC0-1.0", "Bryan Housel and contributors", ("",)),
    "icon-park": ("1.2.4", "Apache-2.0", "ByteDance", ("",)),
    "tabler": ("1.2.41", "MIT", "Paweł Kuna", ("-filled", "")),
    "streamline-plump-color": ("1.2.2", "CC-BY-4.0", "Streamline", ("",)),
    "streamline-color": ("1.2.2", "CC-BY-4.0", "Streamline", ("",)),
    "streamline-flex-color": ("1.2.2", "CC-BY-4.0", "Streamline", ("",)),
}
# What these collections mean by a name where they mean something else: a hand by "palm", a plug by
# "lamp", a rugby ball by "football", somebody on a bicycle.
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
    }
    | {(c, f"egg{e}") for c, (*_, endings) in PACKAGES.items() for e in endings}
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


def find(packages: Path) -> list[tuple[int, str, str, Image.Image]]:
    """(thing, collection, name, cell) of every icon that a collection has under an exact name."""
    found = []
    for collection, (*_, endings) in PACKAGES.items():
        folder = packages / "node_modules" / "@iconify-json" / collection
        icons = json.loads((folder / "icons.json").read_text())
        for i, thing in enumerate(THINGS):
            for name in (n + ending for n in names(thing) for ending in endings):
                source = None if (collection, name) in WRONG else svg(icons, name)
                if source is not None:
                    # resvg draws "currentColor" black, which is the ink.
                    found.append((i, collection, name, enclosed(draw(source))))
                    break
    return found


def build(packages: Path, out: Path) -> None:
    """Write the sheet and its index."""
    found = sorted(find(packages), key=lambda f: f[0])
    rows = -(-len(found) // COLUMNS)
    sheet = Image.new("LA", (COLUMNS * CELL, rows * CELL))
    for n, (*_, cell) in enumerate(found):
        sheet.paste(cell, (n % COLUMNS * CELL, n // COLUMNS * CELL))
    pixels = np.asarray(sheet).copy()
    pixels[pixels[..., 1] == 0] = 0
    picture = Image.fromarray(pixels, "LA").convert("RGBA")
    picture.save(out / SHEET, lossless=True, quality=100, method=6)
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
    print(f"{len(found)} icons of {len({f[0] for f in found})} things")


def load() -> list[list[npt.NDArray[np.uint8]]]:
    """The icons of each thing, as RGBA cells (128, 128, 4): grey, and transparent around."""
    folder = assets.path("emoji")
    index = json.loads((folder / INDEX).read_text())
    cell, columns = index["cell"], index["columns"]
    pixels = np.asarray(Image.open(folder / SHEET).convert("RGBA"))
    icons: list[list[npt.NDArray[np.uint8]]] = [[] for _ in THINGS]
    for n, (thing, *_) in enumerate(index["icons"]):
        top, left = n // columns * cell, n % columns * cell
        icons[thing].append(pixels[top : top + cell, left : left + cell])
    return icons


def main() -> None:
    packages, out = folders("Rebuild the sheet of icons.")
    install(packages, {name: entry[0] for name, entry in PACKAGES.items()})
    build(packages, out)


if __name__ == "__main__":
    main()
