"""What a handout holds: photos, lists of words for each, and every state of the switches."""

import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from demo import backbones, lessons, pictures
from demo.drawing import SHOWN_SIDE, image_bytes
from demo.photo import EXAMPLES, Photo
from demo.scene import Scene
from demo.settings import Settings
from gclip_core import GclipError
from gclip_core.errors import ImageError

Prepared = dict[Photo, list[str]]


def prepared(paths: Sequence[Path], words: Path | None, folder: Path) -> Prepared:
    """Photos, by default the examples, with the words of a file or, without any, their own; also
    the photo of the lessons with theirs.

    Own photos are stored in ``folder``. Raises GclipError for a photo or a line of the file that
    cannot be used.
    """
    shown = [own_photo(path, folder) for path in paths]
    shown = shown or [Photo.of_example(name) for name in EXAMPLES]
    typed = typed_for(shown, words) if words else {}
    lesson = Photo.of_example(lessons.PHOTO.name)
    lists = Prepared()
    for photo in dict.fromkeys([*shown, lesson]):
        host = Settings(backbone=backbones.HOST.backbone)
        texts = typed.get(photo.name) or [Scene(photo, host).own_words]
        if photo == lesson:
            texts += [step.after["words"] for step in lessons.LESSONS.values()]
        lists[photo] = [*dict.fromkeys(texts)]
    return lists


def scene_of(photo: Photo, words: str) -> Scene:
    """A photo as it opens."""
    return Scene(photo, Settings.read({"backbone": backbones.HOST.backbone, "words": words}))


def scenes(lists: Prepared, heads: bool) -> Iterator[tuple[Scene, dict[str, Any]]]:
    """Each photo with each list of words, also in the damaged copy of the model where the page
    offers it, in each state of the settings that files.js puts into names of files; and these."""
    for photo, texts in lists.items():
        for number, text in enumerate(texts):
            scene = scene_of(photo, text)
            tower, models = scene.segmenter.backbone, [scene.settings.backbone]
            if photo.name == lessons.PHOTO.name or "cs" not in scene.ideas:
                models.append(backbones.DAMAGED)
            choices = {
                "backbone": models,
                "background": (1, 0),
                "block": range(1, tower.n_blocks + 1),
                "head": range(tower.n_heads + 1 if heads else 1),
            }
            for values in product(*choices.values()):
                state = dict(zip(choices, values, strict=True))
                place = {"photo": photo.name, "backbone": state["backbone"], "words": number}
                yield scene.with_settings(**state), place | state


def name_of(file: str) -> str:
    """The name of a photo, which also stands in addresses."""
    return re.sub("[^A-Za-z0-9]+", "-", Path(file).stem).strip("-") or "photo"


def own_photo(path: Path, folder: Path) -> Photo:
    """A photo in ``folder``, at most as large as it is shown."""
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


def typed_for(shown: Sequence[Photo], file: Path) -> dict[str, list[str]]:
    """The lists of words in a file of lines "NAME: words", by photo."""
    names, lists = {photo.name for photo in shown}, dict[str, list[str]]()
    for number, line in enumerate(file.read_text("utf-8-sig").splitlines(), 1):
        name, _, text = (part.strip() for part in line.partition(":"))
        if (name := name_of(name)) in names and text:
            lists.setdefault(name, []).append(text)
        elif line.strip():
            raise GclipError(
                f"{file}, line {number} is “{line:.60}”, not “NAME: words” with one of the names "
                f"{', '.join(sorted(names))}. Correct it."
            )
    return lists
