"""The page as files: every answer that its tabs and switches can ask, which files.js reads."""

import gzip
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from html import escape
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tqdm import tqdm

from demo import backbones, compare, lessons, pictures, server, share
from demo.answer import PIECES
from demo.drawing import SHOWN_SIDE, image_bytes, jpeg
from demo.photo import EXAMPLES, Photo
from demo.scene import Scene
from demo.settings import Settings
from gclip_core import GclipError
from gclip_core.errors import ImageError

FILES = {"mask": "mask.png", "cutouts": "cut-outs.zip", "coco": "coco.json"}
FILES |= {"png": "figure.png", "pdf": "figure.pdf"}  # names of share.made, and of the files
FREE = {"amf", "cs", "background", "block", "enlarged"}  # settings with all their values
NOTICE = "This copy shows prepared photos."
START = f"<details class=prepared><summary>{NOTICE} <u>Try your own photo</u></summary>\
With GCLIP on your computer, start its page: <code>python app.py</code></details>"
README = """---
title: GCLIP
sdk: static
---

A page of files: any web server can serve this folder, such as `python -m http.server`.

"""


def write(
    folder: Path, paths: Sequence[Path], words: Path | None, heads: bool = False, live: str = ""
) -> None:
    """Writes the page with photos, by default the examples, into a folder.

    ``words`` is a file of lines "NAME: words"; ``heads`` adds every head of every block; ``live``
    is the address of a page with a server. An earlier handout is replaced at the end. Raises
    GclipError for another folder that is not empty, and for photos or words that cannot be used.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "web" / "files.js").exists():
        raise GclipError(f"{folder} is not empty. Choose a new folder, or an earlier handout.")
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".new-") as temporary:
        new = Path(temporary)
        without = shutil.ignore_patterns("server.js", "vendor", "types.js", "*.html")
        shutil.copytree(server.WEB, new / "web", ignore=without)
        for name in ("photos", "pieces", "files"):
            (new / name).mkdir()
        shown = [own_photo(path, new / "photos") for path in paths]
        shown = shown or [Photo.of_example(name) for name in EXAMPLES]
        lists = lists_of(shown, words)
        write_page(new, shown, lists, heads, live)
        scenes = [one for photo in shown for one in scenes_of(photo, lists[photo.name])]
        pieces = dict(
            piece for number, scene in scenes for piece in pieces_of(scene, number, heads)
        )
        for file, make in tqdm(pieces.items(), "Handout", unit=" pieces"):
            data = json.dumps(make(), separators=(",", ":")).encode()
            (new / "pieces" / f"{file}.bin").write_bytes(gzip.compress(data, mtime=0))
        for number, scene in scenes:
            if scene.settings.backbone == backbones.HOST.backbone:
                write_files(new / "files" / f"{scene.photo.name}_{number}", scene)
        for entry in new.iterdir():
            if (old := folder / entry.name).is_dir():
                shutil.rmtree(old)
            entry.replace(old)


def name_of(file: str) -> str:
    """The name of a photo, which also stands in addresses."""
    return re.sub("[^A-Za-z0-9]+", "-", Path(file).stem).strip("-") or "photo"


def own_photo(path: Path, folder: Path) -> Photo:
    """A photo in the folder of the handout's photos, at most as large as it is shown."""
    name = name_of(path.name)
    if (copy := folder / f"{name}.jpg").exists() or Photo(name, path).example:
        raise GclipError(f"{path}: there is another photo “{name}”. Rename this one.")
    try:
        picture = pictures.opened(path.read_bytes())
    except ImageError as error:
        raise GclipError(f"{path}: {error}") from error
    picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    copy.write_bytes(image_bytes(picture, "jpeg"))
    return Photo(name, copy)


def lists_of(shown: list[Photo], words: Path | None) -> dict[str, list[str]]:
    """By photo, the lists of words of a file or, without any, its own; those of the lessons, too,
    whose photo is added to ``shown``."""
    names, lists = {photo.name for photo in shown}, dict[str, list[str]]()
    for number, line in enumerate(words.read_text("utf-8").splitlines() if words else [], 1):
        name, _, text = (part.strip() for part in line.partition(":"))
        if (name := name_of(name)) in names and text:
            lists.setdefault(name, []).append(text)
        elif line.strip():
            known = ", ".join(sorted(names))
            raise GclipError(
                f"{words}, line {number} is “{line:.60}”, not “NAME: words” with one of the names "
                f"{known}. Correct it."
            )
    if lessons.PHOTO.name not in names:
        shown.append(Photo.of_example(lessons.PHOTO.name))
    for photo in shown:
        host = Settings(backbone=backbones.HOST.backbone)
        own = lists.get(photo.name) or [Scene(photo, host).own_words]
        if photo.name == lessons.PHOTO.name:
            own += [step.after["words"] for step in lessons.LESSONS.values()]
        lists[photo.name] = [*dict.fromkeys(own)]
    return lists


def scenes_of(photo: Photo, lists: list[str]) -> Iterator[tuple[int, Scene]]:
    """The photo with each of its lists, by number, and with the damaged copy of the model where the
    page offers it."""
    for number, words in enumerate(lists):
        settings = {"backbone": backbones.HOST.backbone, "words": words}
        yield number, (scene := Scene(photo, Settings.read(settings)))
        if photo.name == lessons.PHOTO.name or "cs" not in scene.ideas:
            yield number, scene.with_settings(backbone=backbones.DAMAGED)


def pieces_of(scene: Scene, number: int, heads: bool) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What computes each piece, in each state of the settings that files.js puts into the name of
    its file, which comes first."""
    tower, backbone = scene.segmenter.backbone, scene.settings.backbone
    places = {"photo": scene.photo.name, "backbone": backbone, "words": number}
    choices = {
        "background": (1, 0),
        "block": range(1, tower.n_blocks + 1),
        "head": range(tower.n_heads + 1 if heads else 1),
    }
    for name, piece in PIECES.items():
        place = [places[key] for key in places if key in piece.uses]
        varied = [key for key in choices if key in piece.uses]
        for values in product(*(choices[key] for key in varied)):
            state = scene.with_settings(**dict(zip(varied, values, strict=True)))
            file = "_".join(map(str, [name.replace(" ", "_"), *place, *values]))
            yield file, partial(value_of, name, state)


def value_of(name: str, scene: Scene) -> Any:
    """A piece for each state of its switches, or for each method that can be enlarged."""
    piece = PIECES[name]
    if "enlarged" in piece.uses:
        every = "", *compare.every(scene)
        return {one: piece.make(scene.with_settings(enlarged=one)) for one in every}
    states = [piece.make(state) for state in scene.states(piece.switches)]
    return states if piece.switches else states[0]


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


def write_page(
    folder: Path, shown: list[Photo], lists: dict[str, list[str]], heads: bool, live: str
) -> None:
    """The page's HTML, which knows what is prepared; its photos; and what hosts ask for."""
    schema, host = Settings.model_json_schema()["properties"], backbones.HOST.backbone
    for name in {*schema} - FREE - ({"head"} if heads else set()):
        schema[name]["enum"] = [schema[name]["default"]]
    schema["backbone"]["enum"] = [host, backbones.DAMAGED]
    schema["words"]["enum"] = [text for texts in lists.values() for text in texts]
    titles = {p.name: p.example.title if p.example else p.name for p in shown}
    facts = {
        "schema": schema,
        "opening": shown[0].name,
        "photos": [*titles],
        "examples": [
            {"name": name, "url": f"photos/{name}-thumb.jpg", "caption": title}
            for name, title in titles.items()
        ],
        "lists": lists,
        "files": FILES,
        "takesPhotos": False,
    }
    link = f'<p class=prepared>{NOTICE} <a href="{escape(live)}">Try your own photo</a></p>'
    (folder / "index.html").write_text(server.index("web", facts, link if live else START), "utf-8")
    credits = [f"- {p.example.title}: {p.example.credit}\n" for p in shown if p.example]
    (folder / "README.md").write_text(README + "".join(credits), "utf-8")
    (folder / ".nojekyll").touch()
    for photo in shown:
        file = folder / "photos" / f"{photo.name}.jpg"
        if photo.example:
            shutil.copy(photo.path, file)
        for size, side in server.SIDES.items():
            file.with_stem(f"{photo.name}-{size}").write_bytes(jpeg(photo, side))
