"""A folder of results with one label map and one palette, in a format of other tools.

``classes.json`` has the index and colour of each word, the same in every photo, and the settings.
``finished.jsonl`` has a line for each finished photo, which need not be segmented again with the
same settings. Every other file is written whole or not at all.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from mimetypes import guess_type
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image

from gclip_core import formats
from gclip_core.errors import GclipError
from gclip_core.pixels import images, palette
from gclip_core.result import Segmentation
from gclip_core.words.vocabulary import Vocabulary

ENDINGS = {
    "png": (".png", "-overlay.png", ".json"),
    "coco": (),
    "yolo": (".txt",),
    "labelme": (".json",),
}
"""For each format, the suffixes of the files of a photo; COCO has one file for all of them."""
CLASSES, FINISHED, COCO, YOLO = "classes.json", "finished.jsonl", "annotations.json", "data.yaml"


@dataclass(frozen=True)
class Photo:
    """An image file, and the name of its results: a path in the folder, without a suffix."""

    path: Path
    name: str

    @property
    def state(self) -> list[Any]:
        """What tells that the file is another one than before."""
        path = str(self.path.absolute())
        with suppress(OSError):
            status = self.path.stat()
            return [path, status.st_mtime_ns, status.st_size]
        return [path]


class Folder:
    """The results of photos in the folder ``path``; ``vocabulary`` is None for suggested words.

    Other ``settings`` than those in ``classes.json`` start anew, as does ``overwrite``. ``options``
    are those of the format's function in ``formats``.
    """

    def __init__(
        self,
        path: Path,
        kind: str,
        settings: Mapping[str, Any],
        vocabulary: Vocabulary | None,
        *,
        overwrite: bool = False,
        cut_outs: bool = False,
        **options: Any,
    ) -> None:
        self.path, self.kind, self.settings = path, kind, json.loads(json.dumps(settings))
        self.cut_outs, self.options = cut_outs, options
        self.classes = list(vocabulary.classes if vocabulary else ())
        self.finished = dict[str, dict[str, Any]]()
        self.is_new = overwrite or not self._read()

    def _read(self) -> bool:
        """Reads an earlier run's label map and finished photos; False if its settings differ."""
        try:
            earlier = json.loads((self.path / CLASSES).read_text("utf-8"))
            if earlier["settings"] != self.settings:
                return False
            classes = [tuple(entry["words"]) for entry in earlier["classes"]]
        except (OSError, ValueError, KeyError, TypeError):  # none, or not one of ours
            return False
        self.classes = classes
        with suppress(OSError):
            for line in (self.path / FINISHED).read_text("utf-8", "replace").splitlines():
                with suppress(ValueError):  # the line at which a run was killed
                    entry = json.loads(line)
                    self.finished[self._key(entry["name"], entry["photo"])] = entry
        return True

    def _key(self, name: str, state: Sequence[Any]) -> str:
        """What a later photo replaces: the results of the same name, or in COCO's file the photo's
        own."""
        return state[0] if self.kind == "coco" else name

    def has(self, photo: Photo) -> bool:
        """Whether an earlier run with the same settings finished the photo."""
        earlier = self.finished.get(self._key(photo.name, photo.state), {})
        is_same = earlier.get("photo") == photo.state
        return is_same and all(file.is_file() for file in self._files(photo))

    def _files(self, photo: Photo) -> list[Path]:
        base = self.path / "labels" if self.kind == "yolo" else self.path
        return [base / (photo.name + ending) for ending in ENDINGS[self.kind]]

    def add(self, photo: Photo, image: Image.Image, result: Segmentation) -> Segmentation:
        """Writes the result of a photo, and returns it with the folder's label map."""
        known = len(self.classes)
        result = self._with_own_classes(result)
        if len(self.classes) > known or self.is_new:  # before what refers to them
            self._start()
        labels, names = result.labels.numpy(), result.vocabulary.names
        if self.cut_outs:
            found = formats.cut_outs(result, image, self.options.get("objects"))
            cuts = {name: _png(cut) for name, cut in found}
            own = self.path / "cut-outs" / photo.name
            write(own, cuts)
            for earlier in {*own.glob("[0-9]*-*.png")} - {own / name for name in cuts}:
                earlier.unlink()  # of other words
        files, entry = self._files(photo), {"name": photo.name, "photo": photo.state}
        if self.kind == "coco":
            described = formats.coco(result, **self.options)
            entry |= {"image": described["images"][0], "annotations": described["annotations"]}
            contents = []
        elif self.kind == "png":
            colours = palette.colours(self.classes)
            contents = [
                palette.indexed(labels, colours, names),
                _png(palette.painted(image, labels, colours)),
                _json(result.to_dict()),
            ]
        elif self.kind == "yolo":
            contents = [formats.yolo(result, **self.options).encode()]
        else:
            beside = os.path.relpath(photo.path, files[0].parent)
            described = formats.labelme(result, Path(beside).as_posix(), **self.options)
            contents = [_json(described)]
        if files:
            named = zip((file.name for file in files), contents, strict=True)
            write(files[0].parent, dict(named))
        with (self.path / FINISHED).open("a", encoding="utf-8") as file:
            file.write("\n" * bool(file.tell()) + json.dumps(entry))  # the last may be cut short
        self.finished[self._key(photo.name, photo.state)] = entry
        return result

    def _with_own_classes(self, result: Segmentation) -> Segmentation:
        """The result with the classes of the folder, to which it adds its own."""
        index = {word.casefold(): n for n, words in enumerate(self.classes) for word in words}
        for synonyms in result.vocabulary.classes:
            if index.setdefault(synonyms[0].casefold(), len(self.classes)) == len(self.classes):
                self.classes.append(synonyms)
        own = [index[name.casefold()] for name in result.vocabulary.names]
        labels = torch.tensor([*own, -1], dtype=torch.int16)[result.labels.long()]
        return replace(
            result,
            labels=labels,
            vocabulary=Vocabulary(tuple(self.classes)),
            prompt_classes=tuple(own[c] if c >= 0 else -1 for c in result.prompt_classes),
        )

    def _start(self) -> None:
        """Writes the label map, and the lines of the photos that are kept."""
        coloured = zip(self.classes, palette.colours(self.classes), strict=True)
        entries = [
            {"index": index, "name": words[0], "words": words, "colour": colour}
            for index, (words, colour) in enumerate(coloured)
        ]
        files = {CLASSES: _json({"settings": self.settings, "classes": entries})}
        names = dict(enumerate(words[0] for words in self.classes))
        if self.kind == "yolo":
            text = "".join(f"  {i}: {json.dumps(name)}\n" for i, name in names.items())
            files[YOLO] = f"path: .\ntrain: images\nval: images\nnames:\n{text}".encode()
        files[FINISHED] = "\n".join(map(json.dumps, self.finished.values())).encode()
        write(self.path, files)
        self.is_new = False

    def finish(self) -> None:
        """Writes COCO's file of all photos that are finished and unchanged, sorted by path."""
        kept = {Photo(Path(e["photo"][0]), e["name"]): e for e in self.finished.values()}
        finished = sorted((photo.path, e) for photo, e in kept.items() if self.has(photo))
        if self.kind != "coco" or not finished:
            return
        root = os.path.commonpath([path.parent for path, _ in finished])
        entries, annotations = list[dict[str, Any]](), list[dict[str, Any]]()
        for number, (path, entry) in enumerate(finished, 1):
            file_name = path.relative_to(root).as_posix()
            entries.append({**entry["image"], "id": number, "file_name": file_name})
            for annotation in entry["annotations"]:
                number_of = {"id": len(annotations) + 1, "image_id": number}
                annotations.append({**annotation, **number_of})
        categories = formats.categories([words[0] for words in self.classes])
        whole = {"images": entries, "annotations": annotations, "categories": categories}
        write(self.path, {COCO: json.dumps(whole, ensure_ascii=False).encode()})


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files, and puts them in place together."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".gclip-", dir=folder) as unfinished:  # on the same disk
        for name, content in files.items():
            Path(unfinished, name).write_bytes(content)
        for name in files:
            Path(unfinished, name).replace(folder / name)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


def find_photos(
    given: Iterable[Path], out: Path, kind: str, recursive: bool
) -> tuple[list[Photo], list[Path]]:
    """The given images, and those in given folders, in the order of their names; and the images in
    these folders that are skipped, because their format cannot be read. Of the subfolders of a
    folder, which ``recursive`` includes, ``out`` is left out.

    Results are named after their image, with a number if another image has the name, too. Case is
    ignored, because some file systems ignore it. Raises GclipError for a folder without images.
    """
    photos, taken, skipped = list[Photo](), {CLASSES, COCO}, list[Path]()
    for path in given:
        files = [path]
        if path.is_dir():
            every = path.rglob("*") if recursive else path.iterdir()
            found = sorted(
                file
                for file in every
                if not any(part.startswith(".") for part in file.relative_to(path).parts)
                and not (recursive and file.resolve().is_relative_to(out.resolve()))
            )
            files = [file for file in found if file.suffix.lower() in images.SUFFIXES]
            skipped += [file for file in found if _is_other_image(file)]
        if not files:
            below = "" if recursive else " (its subfolders are searched with --recursive)"
            raise GclipError(
                f"There are no images in the folder {path}; name a folder with "
                f"{', '.join(images.SUFFIXES)} files in it{below}."
            )
        for file in files:
            wanted = file.relative_to(path).with_suffix("") if file != path else Path(file.stem)
            name, number = str(wanted), 1
            endings = ENDINGS[kind] or ("",)
            while not taken.isdisjoint((name + ending).casefold() for ending in endings):
                number += 1
                name = f"{wanted}-{number}"
            taken.update((name + ending).casefold() for ending in endings)
            photos.append(Photo(file, name))
    return photos, skipped


def _is_other_image(file: Path) -> bool:
    kind = guess_type(file.name, strict=False)[0] or ""
    return kind.startswith("image/") and file.suffix.lower() not in images.SUFFIXES


def check_outputs(folder: Path, photos: Sequence[Photo], kind: str) -> None:
    """Raises GclipError if a result would overwrite an input."""
    read = {str(p.path.resolve()).casefold() for p in photos}  # some file systems ignore case
    for photo in photos:
        for path in (folder / (photo.name + ending) for ending in ENDINGS[kind]):
            if str(path.resolve()).casefold() in read:
                raise GclipError(
                    f"No input may be overwritten, but {path} is an input; choose another folder "
                    "with --out."
                )
