"""Rebuild the sprite sheets in `assets/emoji/` from the npm packages the art comes from.

    python -m training.sprites [--packages FOLDER] [--out assets/emoji]

Installs the packages into FOLDER with `npm` where they are missing, draws each thing once per
style (needs `resvg_py`), trims it, fits it into a 128-pixel cell and writes one lossless WebP
sheet per style, `index.json` (which cell is which thing, and every word) and nothing else.
"""

import argparse
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.things import THINGS, Thing

CELL = 128
COLUMNS = 12
# Drawn larger than the cell, so that trimming and fitting only ever shrink.
DRAWN = 320

# style -> (version, licence, who drew it). The style's name is the package's.
PACKAGES: dict[str, tuple[str, str, str]] = {
    "twemoji": ("1.2.5", "CC-BY-4.0", "Twitter, Inc. and other contributors"),
    "noto": ("1.2.9", "Apache-2.0", "Google LLC"),
    "noto-v1": ("1.2.5", "Apache-2.0", "Google LLC"),
    "fluent-emoji": ("1.2.7", "MIT", "Microsoft Corporation"),
    "fluent-emoji-flat": ("1.2.6", "MIT", "Microsoft Corporation"),
    "fxemoji": ("1.2.2", "Apache-2.0", "Mozilla Foundation"),
    "streamline-emojis": ("1.2.4", "CC-BY-4.0", "Streamline"),
    "emojione": ("1.2.3", "CC-BY-4.0", "Emoji One"),
    "openmoji": ("1.2.29", "CC-BY-SA-4.0", "OpenMoji contributors"),
}
HELD_OUT = "emojione"
# Share-alike art: nothing is trained on it, and no "seen" or "held-out" scene holds any of it.
HARDEST = "openmoji"


def install(folder: Path, versions: dict[str, str]) -> None:
    """Install these art packages into `folder/node_modules`, those that are missing."""
    scope = folder / "node_modules" / "@iconify-json"
    missing = [s for s in versions if not (scope / s / "icons.json").exists()]
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [f"@iconify-json/{s}@{versions[s]}" for s in missing]
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", *wanted], cwd=folder, check=True)


def collection(packages: Path, name: str) -> dict[str, Any]:
    """An installed package's icons."""
    folder = packages / "node_modules" / "@iconify-json" / name
    icons: dict[str, Any] = json.loads((folder / "icons.json").read_text())
    return icons


def svg(icons: dict[str, Any], name: str) -> str | None:
    """The SVG of one icon of an icon collection, or None where it has none of that name."""
    name = icons.get("aliases", {}).get(name, {}).get("parent", name)
    icon = icons["icons"].get(name)
    if icon is None:
        return None
    left, top, width, height = (
        icon.get(key, icons.get(key, default))
        for key, default in (("left", 0), ("top", 0), ("width", 16), ("height", 16))
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}" width="{DRAWN}" height="{DRAWN}">'
        f"{icon['body']}</svg>"
    )


def draw(source: str) -> Image.Image:
    """An SVG as an RGBA cell: trimmed to what is visible, fitted, centred."""
    import resvg_py  # noqa: PLC0415 - optional

    drawn = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=source)))).convert("RGBA")
    box = drawn.getchannel("A").point(lambda a: 255 * (a > 20)).getbbox()
    if box is None:
        raise ValueError("an icon draws nothing")
    drawn = drawn.crop(box)
    scale = CELL / max(drawn.size)
    size = (max(1, round(drawn.width * scale)), max(1, round(drawn.height * scale)))
    # Premultiplied while resizing: otherwise the invisible pixels' colour bleeds into the edge.
    small = drawn.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
    cell = Image.new("RGBA", (CELL, CELL))
    cell.paste(small, ((CELL - size[0]) // 2, (CELL - size[1]) // 2))
    return cell


def first_drawing(icons: dict[str, Any], thing: Thing) -> Image.Image | None:
    """The drawing of a thing in one collection: its first icon name that the collection has."""
    found = (svg(icons, name) for name in thing.icons)
    return next((draw(source) for source in found if source), None)


def sheet(cells: list[Image.Image], columns: int = COLUMNS) -> Image.Image:
    """Cells in rows as one RGBA picture, (rows * 128, columns * 128, 4)."""
    rows = -(-len(cells) // columns)
    picture = Image.new("RGBA", (columns * CELL, rows * CELL))
    for i, cell in enumerate(cells):
        picture.paste(cell, (i % columns * CELL, i // columns * CELL))
    pixels = np.array(picture)
    pixels[pixels[..., 3] == 0] = 0  # the colour of nothing costs bytes and means nothing
    return Image.fromarray(pixels)


def build(packages: Path, out: Path) -> None:
    """Write the sheets and their index."""
    out.mkdir(parents=True, exist_ok=True)
    styles = {}
    for style, (version, licence, author) in PACKAGES.items():
        icons = collection(packages, style)
        found = [(i, first_drawing(icons, thing)) for i, thing in enumerate(THINGS)]
        cells = [(i, cell) for i, cell in found if cell is not None]
        picture = sheet([cell for _, cell in cells])
        picture.save(out / f"{style}.webp", lossless=True, quality=100, method=6)
        missing = [THINGS[i].name for i, cell in found if cell is None]
        print(f"{style}: {len(cells)} things; missing: {', '.join(missing) or 'none'}")
        styles[style] = {
            "package": f"@iconify-json/{style}",
            "version": version,
            "licence": licence,
            "author": author,
            "use": {HELD_OUT: "held-out", HARDEST: "extra"}.get(style, "seen"),
            "things": [i for i, _ in cells],
        }
    words = [
        {"name": t.name, "synonyms": list(t.synonyms), "plurals": list(t.plurals)} for t in THINGS
    ]
    index = {"cell": CELL, "columns": COLUMNS, "things": words, "styles": styles}
    (out / "index.json").write_text(json.dumps(index, indent=1) + "\n")


def folders(description: str) -> tuple[Path, Path]:
    """The command line of both sheets: where packages are installed, where sheets go."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--packages", type=Path, default=Path("node_packages"))
    parser.add_argument("--out", type=Path, default=Path("assets/emoji"))
    arguments = parser.parse_args()
    return arguments.packages, arguments.out


def main() -> None:
    packages, out = folders("Rebuild the emoji sprite sheets.")
    install(packages, {style: entry[0] for style, entry in PACKAGES.items()})
    build(packages, out)


if __name__ == "__main__":
    main()
