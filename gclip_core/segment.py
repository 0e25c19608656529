"""Masks from the command line: ``gclip IMAGES… --words … --out DIR``.

``python -m gclip_core.segment`` is the same command, without an installation.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from gclip_core import images, palette
from gclip_core.backbone import load_backbone
from gclip_core.errors import GclipError
from gclip_core.masks import BACKGROUND_WEIGHT
from gclip_core.methods import METHODS, find_method, gclip
from gclip_core.numbering import block_choice, block_numbers
from gclip_core.refine import REFINEMENTS
from gclip_core.registry import BACKBONES, BUILT_IN
from gclip_core.segmenter import Segmenter
from gclip_core.text import TEMPLATES
from gclip_core.types import Method, Segmentation, Vocabulary
from gclip_core.vocabulary import parse

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
"""Endings of the files that are taken from a folder, in lower case."""


@dataclass(frozen=True)
class Task:
    """An image, and the path of its files without their endings."""

    image: Path
    stem: Path

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The mask, the overlay and the summary."""
        endings = (".png", "-overlay.png", ".json")
        return tuple(self.stem.with_name(self.stem.name + ending) for ending in endings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Segments every image that can be used, and reports the others.

    Returns 0 if all images were segmented, 1 if one could not be used, 2 for unusable settings,
    130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")  # before any product: for reproducible results
    try:
        return _run(options)
    except (GclipError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=None if Path(sys.argv[0]).stem == "gclip" else "python -m gclip_core.segment",
        description="Segment images with any words. For every image NAME, DIR gets NAME.png (an "
        "indexed mask: class 0 is the first word, 255 is none), NAME-overlay.png and NAME.json.",
    )
    option = parser.add_argument
    images_help = "an image, or a folder: all PNG, JPEG, WebP and GIF files in it"
    option("images", nargs="+", type=Path, metavar="IMAGE", help=images_help)
    words_help = (
        "classes separated by commas, synonyms by ';' (\"cat, sofa; couch, wall\"), or a text "
        "file of them; without it each image gets the words that are suggested for it"
    )
    option("--words", help=words_help)
    out_help = "the folder for the files, default out; no input file is ever overwritten"
    option("--out", type=Path, default=Path("out"), metavar="DIR", help=out_help)
    background_help = "off: every pixel gets one of the words, whatever it shows (default on)"
    option("--background", default="on", choices=("on", "off"), help=background_help)
    weight_help = f"from 0 to 1: more gives more pixels no class (default {BACKGROUND_WEIGHT:g})"
    option("--background-weight", type=float, default=BACKGROUND_WEIGHT, help=weight_help)
    refine_help = (
        "how the edges of a mask follow the image: 'guided' (guided filter, the default), 'pamr', "
        "or 'none', as in the papers"
    )
    option("--refine", default="guided", choices=REFINEMENTS, help=refine_help)
    option("--threshold", type=float, default=0.0, help="score from 0 (off) to 1")

    option = parser.add_argument_group("backbone and method").add_argument
    option("--backbone", default=BUILT_IN, help=f"one of {', '.join(BACKBONES)}")
    option("--weights", type=Path, metavar="FILE", help="a local weight file")
    option("--device", default="cpu")
    option("--dtype", default="float32", choices=("float32", "bfloat16", "auto"))
    option("--method", default="gclip", help=f"one of {', '.join(METHODS)}")
    option("--no-amf", action="store_true", help="GCLIP without attention fusion")
    option("--no-cs", action="store_true", help="GCLIP without channel suppression")
    blocks = "'auto', 'backbone' (its default) or numbers from 1, such as '6 7' or '7-11'"
    papers = ", 'paper-from-1' or 'paper-from-0' (the paper's 6 and 7 in either counting)"
    option("--amf-blocks", default="backbone", help=blocks + papers)
    option("--cs-blocks", default="backbone", help=blocks)

    option = parser.add_argument_group("sizes and templates").add_argument
    option("--short-side", type=int, metavar="PIXELS")
    option("--window", type=int, metavar="PIXELS")
    option("--stride", type=int, default=112, metavar="PIXELS")
    option("--templates", default="imagenet80", choices=tuple(TEMPLATES))
    return parser


def _run(options: argparse.Namespace) -> int:
    """Checks all settings and files, then segments one image after the other."""
    method = _method(options)
    words = None if options.words is None else _words(options.words)
    tasks = plan(options.images, options.out)
    others = (Path(name) for name in (options.words, options.weights) if name)
    _prepare(options.out, tasks, [*(task.image for task in tasks), *others])
    backbone = load_backbone(options.backbone, options.weights, options.device, options.dtype)
    segmenter = Segmenter(
        backbone, options.short_side, options.window, options.stride, options.templates
    )
    n_failed = 0
    # tqdm reads None as: no progress bar without a terminal.
    hidden = None if len(tasks) > 1 else True
    for task in tqdm(tasks, unit="image", disable=hidden, leave=False):
        try:
            picture = images.check(task.image)
            encoded = segmenter.encode(picture)
            result = segmenter.segment(
                encoded,
                words or segmenter.suggest(encoded),
                method,
                options.threshold,
                options.background == "on",
                options.background_weight,
                options.refine,
                picture,
            )
            _save(task, picture, result)
        except (GclipError, OSError) as error:
            n_failed += 1
            tqdm.write(f"{task.image}: {error}", file=sys.stderr)
        else:
            tqdm.write(_report(task.image, result))
    done = f"{len(tasks)} image{'s' if len(tasks) > 1 else ''}"
    if n_failed:
        done = f"{len(tasks) - n_failed} of {done}"
    print(f"{done} segmented; the masks are in {options.out}", file=sys.stderr)
    return 1 if n_failed else 0


def plan(given: Iterable[Path], folder: Path) -> list[Task]:
    """A task for each image, and for each image of a folder that is given.

    A number is added to a name if a file of another task has it, in any case of letters.

    Raises:
        GclipError: a folder without images.
    """
    tasks: list[Task] = []
    taken: set[str] = set()
    for image in _images(given):
        for number in count(1):
            name = image.stem if number == 1 else f"{image.stem}-{number}"
            task = Task(image, folder / name)
            files = {output.name.casefold() for output in task.outputs}
            if taken.isdisjoint(files):
                break
        taken |= files
        tasks.append(task)
    return tasks


def _images(given: Iterable[Path]) -> Iterator[Path]:
    """The images that are given, and those in folders by name."""
    for path in given:
        if not path.is_dir():
            yield path
            continue
        files = sorted(
            file
            for file in path.iterdir()
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
        )
        if not files:
            raise GclipError(
                f"Images were expected in the folder {path}, but none came; name a folder with "
                f"{', '.join(SUFFIXES)} files in it (its own folders are not searched)."
            )
        yield from files


def _prepare(folder: Path, tasks: Iterable[Task], inputs: Iterable[Path]) -> None:
    """Makes the folder. Raises GclipError if that is impossible, or if an output is an input."""
    read = {path.resolve() for path in inputs}
    for output in (output for task in tasks for output in task.outputs):
        if output.resolve() in read:
            raise GclipError(
                f"No input may be overwritten, but {output} is an input; choose another folder "
                "with --out."
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GclipError(
            f"A folder that can be written was expected at {folder}, but there is none "
            f"({error.strerror}); choose another folder with --out."
        ) from error


def _words(text: str) -> Vocabulary:
    """The words of a text, or of the text file of that name."""
    # Unlike Path.is_file, this raises no error for a list of words that is too long for a name.
    if os.path.isfile(text):  # noqa: PTH113
        text = Path(text).read_text("utf-8", errors="replace")
    return parse(text)


def _method(options: argparse.Namespace) -> Method:
    if options.method != "gclip":
        return find_method(options.method)
    return gclip(
        amf=not options.no_amf,
        cs=not options.no_cs,
        amf_blocks=block_choice(options.amf_blocks),
        cs_blocks=block_choice(options.cs_blocks),
    )


def _save(task: Task, picture: Image.Image, result: Segmentation) -> None:
    labels, names = result.labels.numpy(), result.vocabulary.names
    mask, overlay, summary = task.outputs
    palette.indexed(labels, names).save(mask)
    paint = Image.fromarray(palette.table(names)[labels])
    share = Image.fromarray(np.where(labels < 0, 0, 153).astype(np.uint8))  # of 255
    Image.composite(paint, picture, share).save(overlay)
    facts = {
        "classes": [list(synonyms) for synonyms in result.vocabulary.classes],
        "areas": dict(zip(names, result.areas(), strict=True)),
        "no_class": result.no_class_area(),
        "background": result.background,
        "method": result.method.name,
        "refine": result.refined,
        "amf_blocks": block_numbers(result.report.fusion.blocks),
        "amf_reason": result.report.fusion.reason,
        "cs_blocks": block_numbers(result.report.suppressed),
        "cs_reason": result.report.cs_reason,
        "unknown": [asdict(entry) for entry in result.unknown],
        "notes": result.notes,
    }
    text = json.dumps(facts, indent=1, ensure_ascii=False)
    summary.write_text(text + "\n", "utf-8")


def _report(path: Path, result: Segmentation) -> str:
    """The areas of an image's classes in one line, then its notes."""
    areas = zip(result.vocabulary.names, result.areas(), strict=True)
    line = f"{path}: " + ", ".join(f"{name} {area:.1%}" for name, area in areas)
    if no_class := result.no_class_area():
        line += f", no class {no_class:.1%}"
    lines = [line]
    if result.unknown:
        unknown = (
            f"{entry.phrase} ({entry.reason}; nearest known word: {entry.nearest or 'none'})"
            for entry in result.unknown
        )
        lines.append(f"this backbone was not trained on: {', '.join(unknown)}")
    return "\n  ".join([*lines, *result.notes])


if __name__ == "__main__":
    sys.exit(main())
