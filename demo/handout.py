"""The page as files: every answer that its tabs and switches can ask, which files.js reads."""

import gzip
import json
import re
import shutil
from base64 import b64decode
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rcssmin import cssmin
from rjsmin import jsmin
from tqdm import tqdm

from demo import backbones, compare, server, share
from demo.answer import PIECES
from demo.drawing import jpeg
from demo.prepared import Prepared, prepared, scene_of, scenes
from demo.scene import Scene
from demo.settings import Settings
from gclip_core import GclipError

FILES = {"mask": "mask.png", "cutouts": "cut-outs.zip", "coco": "coco.json", "png": "figure.png"}
"""The names of ``share.made``, and of the files."""
FREE = {"amf", "cs", "background", "block", "enlarged"}
"""The settings that have all of their values; ``head`` may."""
CONTAINED = r"data:\w+/(\w+);base64,([\w+/=]{2000,})"
NOTICE = "<p class=prepared>This copy shows prepared photos. {}</p>"
LIVE = '<a href="{}">Try your own photo</a>'
START = "To try your own photo, start the page on a computer: <code>python app.py</code>"
README = """---
title: GCLIP
sdk: static
---

A page of files, which any web server can serve, such as `python -m http.server`.

"""


def write(
    folder: Path, paths: Sequence[Path], words: Path | None, heads: bool = False, live: str = ""
) -> None:
    """Writes the page with photos, by default the examples, into a folder.

    ``words`` is a file of lines "NAME: words"; ``heads`` adds every head of every block; ``live``
    is the address of a page with a server. An earlier handout is replaced at the end. Raises
    GclipError for another folder that is not empty, and for photos or words that cannot be used.
    """
    folder = folder.resolve()
    if folder.exists() and any(folder.iterdir()) and not (folder / "web" / "files.js").exists():
        raise GclipError(f"{folder} is not empty. Choose a new folder, or an earlier handout.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=".handout-") as temporary:
        new = Path(temporary) / "new"
        for name in ("photos", "pieces", "files"):
            (new / name).mkdir(parents=True)
        lists = prepared(paths, words, new / "photos")
        write_page(new, lists, heads, live)
        pieces = {}
        for scene, values in scenes(lists, heads):
            for name, piece in PIECES.items():
                place = [values[key] for key in values if key in piece.uses]
                file = "_".join(map(str, [name.replace(" ", "_"), *place]))
                pieces.setdefault(file, partial(value_of, name, scene))
        for file, make in tqdm(pieces.items(), "Handout", unit=" pieces"):
            text = re.sub(CONTAINED, partial(stored, new), json.dumps(make()))
            (new / "pieces" / f"{file}.bin").write_bytes(gzip.compress(text.encode(), mtime=0))
        for photo, texts in lists.items():
            for number, text in enumerate(texts):
                write_files(new / "files" / f"{photo.name}_{number}", scene_of(photo, text))
        if folder.exists():
            folder.replace(Path(temporary) / "old")
        new.replace(folder)


def value_of(name: str, scene: Scene) -> Any:
    """A piece for each state of its switches, or for each method that can be enlarged."""
    piece = PIECES[name]
    if "enlarged" in piece.uses:
        every = "", *compare.every(scene)
        return {one: piece.make(scene.with_settings(enlarged=one)) for one in every}
    states = [piece.make(state) for state in scene.states(piece.switches)]
    return states if piece.switches else states[0]


def stored(folder: Path, url: re.Match[str]) -> str:
    """The address of a file with what a URL contains, which many answers share."""
    kind, text = url.groups()
    data = b64decode(text)
    file = f"pieces/{sha256(data).hexdigest()[:16]}.{kind}"
    (folder / file).write_bytes(data)
    return file


def write_files(folder: Path, scene: Scene) -> None:
    """The downloads of a photo as it opens."""
    folder.mkdir()
    cutouts = [("cutout", label) for label in range(-1, len(scene.words))]
    for file, label in [*((file, 0) for file in FILES), *cutouts]:
        try:
            data = share.made(scene, file, label)[1]
        except GclipError:
            continue  # a class without pixels, or a photo that is too narrow for a figure
        (folder / FILES.get(file, f"cut-out-{label}.png")).write_bytes(data)


def write_page(folder: Path, lists: Prepared, heads: bool, live: str) -> None:
    """The page's HTML, which knows what is prepared; its scripts; its photos; and what hosts ask
    for."""
    schema, host = Settings.model_json_schema()["properties"], backbones.HOST.backbone
    for name in {*schema} - FREE - ({"head"} if heads else set()):
        schema[name]["enum"] = [schema[name]["default"]]
    schema["backbone"]["enum"] = [host, backbones.DAMAGED]
    schema["words"]["enum"] = [text for texts in lists.values() for text in texts]
    titles = {p.name: p.example.title if p.example else p.name for p in lists}
    facts = {
        "schema": schema,
        "opening": next(iter(titles)),
        "photos": [*titles],
        "examples": [
            {"name": name, "url": f"photos/{name}-thumb.jpg", "caption": title}
            for name, title in titles.items()
        ],
        "lists": {photo.name: texts for photo, texts in lists.items()},
        "files": FILES,
        "takesInput": False,
    }
    notice = NOTICE.format(LIVE.format(escape(live)) if live else START)
    (folder / "index.html").write_text(server.index("web", facts, notice), "utf-8")
    credits = [f"- {p.example.title}: {p.example.credit}\n" for p in lists if p.example]
    (folder / "README.md").write_text(README + "".join(credits), "utf-8")
    (folder / ".nojekyll").touch()
    (folder / "web").mkdir()
    for file in server.WEB.iterdir():
        if file.suffix in {".js", ".css"} and file.stem not in {"server", "types"}:
            minify = jsmin if file.suffix == ".js" else cssmin
            (folder / "web" / file.name).write_text(minify(file.read_text("utf-8")), "utf-8")
    for photo in lists:
        file = folder / "photos" / f"{photo.name}.jpg"
        if photo.example:
            shutil.copy(photo.path, file)
        for size, side in server.SIDES.items():
            file.with_stem(f"{photo.name}-{size}").write_bytes(jpeg(photo, side))
