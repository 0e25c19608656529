"""Masks from the command line: ``gclip IMAGES… --words … --out DIR``.

``python -m gclip_core.command`` is the same command, without an installation.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import torch
from PIL import Image
from tqdm import tqdm

from gclip_core.backbones.load import Dtype, load_backbone
from gclip_core.backbones.registry import BACKBONES, BUILT_IN
from gclip_core.errors import GclipError, MethodError, VocabularyError, check_between, check_count
from gclip_core.methods import METHODS, Method, gclip
from gclip_core.numbering import block_choice
from gclip_core.pixels import images, palette
from gclip_core.pixels.refine import REFINEMENTS
from gclip_core.relatives.freecp import PURIFICATIONS
from gclip_core.result import Segmentation
from gclip_core.segmenter import Segmenter
from gclip_core.words.background import BACKGROUND_WEIGHT
from gclip_core.words.text import TEMPLATES
from gclip_core.words.vocabulary import Vocabulary, parse

ENDINGS = (".png", "-overlay.png", ".json")
"""Suffixes of the mask, the overlay and the summary of an image."""
REFUSED = GclipError, OSError, MemoryError, torch.OutOfMemoryError


def main(arguments: Sequence[str] | None = None) -> int:
    """Segments every usable image, and reports the others.

    Returns 0 if all images were segmented, 1 if one could not be used, 2 for unusable settings,
    130 after Ctrl-C.
    """
    options = read_options(arguments)
    # Set before the first matrix product, it makes results reproducible.
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    try:
        return run(options)
    except REFUSED as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of a command line; argparse prints its errors and the help."""
    parser = argparse.ArgumentParser(
        prog=None if Path(sys.argv[0]).stem == "gclip" else "python -m gclip_core.command",
        description="Segment images with any words. For every image NAME, DIR gets NAME.png (an "
        "indexed mask: 0 is the first word, 255 is no class; with more than 255 words, it has 16 "
        "bits, and 65535 is no class), NAME-overlay.png and NAME.json.",
    )
    parser.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGE",
        help="an image, or a folder: all PNG, JPEG, WebP and GIF files in it",
    )
    parser.add_argument(
        "--words",
        help="classes separated by commas, synonyms by ';' (\"cat, sofa; couch, wall\"), or a .txt "
        "file with them (default: the words suggested for each image)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out"),
        metavar="DIR",
        help="output folder (default: out); input files are never overwritten",
    )
    parser.add_argument(
        "--background",
        default="on",
        choices=("on", "off"),
        help="off: every pixel gets one of the words, whatever it shows (default on)",
    )
    parser.add_argument(
        "--background-weight",
        type=float,
        default=BACKGROUND_WEIGHT,
        help="from 0 to 1; more leaves more pixels without a class (default %(default)g)",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        default=0.0,
        help="a pixel whose best score, from 0 to 1, is below this gets no class (default 0)",
    )
    parser.add_argument(
        "--purify",
        default="none",
        choices=("none", *PURIFICATIONS),
        help="freecp: FreeCP's step after the method (default none)",
    )
    parser.add_argument(
        "--refine",
        default="guided",
        choices=("none", *REFINEMENTS),
        help="how the edges of a mask follow the image: 'guided' (guided filter, the default), "
        "'pamr', or 'none', as in the papers",
    )

    method = parser.add_argument_group("backbone and method")
    add_backbone_options(method)
    names = f"one of {', '.join(METHODS)} (default gclip)"
    method.add_argument("--method", default="gclip", help=names)
    blocks = "'auto', 'backbone' (its own, the default) or numbers from 1, such as '6 7' or '7-11'"
    amf = method.add_mutually_exclusive_group()
    amf.add_argument("--no-amf", action="store_true", help="GCLIP without attention fusion")
    amf.add_argument("--amf-blocks", default="backbone", help=blocks)
    cs = method.add_mutually_exclusive_group()
    cs.add_argument("--no-cs", action="store_true", help="GCLIP without channel suppression")
    cs.add_argument("--cs-blocks", default="backbone", help=blocks)

    sizes = parser.add_argument_group("sizes and templates")
    sizes.add_argument(
        "--short-side",
        type=int,
        metavar="PIXELS",
        help="length to which an image's shorter side is scaled (default: the backbone's)",
    )
    sizes.add_argument(
        "--window",
        type=int,
        metavar="PIXELS",
        help="side of the windows in which the image is encoded (default: the whole image at once)",
    )
    sizes.add_argument(
        "--stride",
        type=int,
        default=Segmenter.stride,
        metavar="PIXELS",
        help=f"distance from one window to the next (default {Segmenter.stride})",
    )
    sizes.add_argument(
        "--templates",
        default="imagenet80",
        choices=tuple(TEMPLATES),
        help="sentences into which each word is put (default imagenet80)",
    )
    return parser.parse_args(arguments)


def add_backbone_options(parser: Any) -> None:
    """Adds ``--backbone`` and the other arguments of ``load_backbone`` to a parser or group."""
    names = f"one of {', '.join(BACKBONES)} (default {BUILT_IN})"
    parser.add_argument("--backbone", default=BUILT_IN, metavar="NAME", help=names)
    parser.add_argument("--weights", type=Path, help="weight file, or a folder that training wrote")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps … (default cpu)")
    parser.add_argument(
        "--dtype",
        default="float32",
        choices=get_args(Dtype),
        help="of the backbone's weights (default float32); auto: bfloat16 if the device supports "
        "it, but float32 for the built-in model",
    )


def run(options: argparse.Namespace) -> int:
    """Checks everything that needs no model, loads the model, then segments the images in turn."""
    check_between("--threshold", options.threshold, 0, 1)
    check_between("--background-weight", options.background_weight, 0, 1)
    sizes = {name: getattr(options, name) for name in ("short_side", "window", "stride")}
    for name, size in sizes.items():
        if size is not None:
            check_count(f"--{name.replace('_', '-')}", size)
    method = chosen_method(options)
    words = None if options.words is None else read_words(options.words)
    photos = find_images(options.images)
    names = unique_names(photos)
    check_outputs([options.out / name for name in names], photos)
    if options.out.is_file():
        raise GclipError(f"--out needs a folder, but {options.out} is a file; name another one.")
    options.out.mkdir(parents=True, exist_ok=True)
    backbone = load_backbone(options.backbone, options.weights, options.device, options.dtype)
    segmenter = Segmenter(backbone, templates=options.templates, **sizes)
    n_failed = 0
    # For tqdm, None means no progress bar without a terminal.
    without_bar = None if len(photos) > 1 else True
    for photo, name in tqdm([*zip(photos, names, strict=True)], disable=without_bar, leave=False):
        try:
            picture = images.check(photo)
            encoded = segmenter.encode(picture)
            result = segmenter.segment(
                encoded,
                words or segmenter.suggest(encoded),
                method,
                threshold=options.threshold,
                background=options.background == "on",
                background_weight=options.background_weight,
                purify=options.purify,
                refine=options.refine,
                picture=picture,
            )
            save(options.out / name, picture, result)
        except (MethodError, VocabularyError):  # from the settings, so the same for every image
            raise
        except REFUSED as error:
            n_failed += 1
            tqdm.write(f"{photo}: {str(error) or 'not enough memory'}", file=sys.stderr)
        except RuntimeError as error:
            if "can't allocate memory" not in str(error):  # torch has no class for it on the CPU
                raise
            n_failed += 1
            tqdm.write(f"{photo}: not enough memory", file=sys.stderr)
        else:
            tqdm.write(f"{photo}: {result}")
    done, n_done = f"{len(photos)} image{'s' if len(photos) > 1 else ''}", len(photos) - n_failed
    if n_failed:
        done = f"{n_done} of {done}"
    where = f"; the masks are in {options.out}" if n_done else ""
    print(f"{done} segmented{where}", file=sys.stderr)
    return 1 if n_failed else 0


def chosen_method(options: argparse.Namespace) -> Method:
    """The method of a command line. Raises GclipError for an option that it does not have."""
    method = METHODS[options.method]
    if method.name == "gclip":
        return gclip(
            amf=not options.no_amf,
            cs=not options.no_cs,
            amf_blocks=block_choice(options.amf_blocks),
            cs_blocks=block_choice(options.cs_blocks),
        )
    if options.no_amf or options.no_cs or {options.amf_blocks, options.cs_blocks} != {"backbone"}:
        raise GclipError(
            "--no-amf, --no-cs, --amf-blocks and --cs-blocks change GCLIP, not --method "
            f"{method.name}; leave out one of the two."
        )
    return method


def read_words(given: str) -> Vocabulary:
    """The given words, or those of a text file. Raises GclipError if it cannot be read."""
    if not given.endswith(".txt"):
        return parse(given)
    try:
        return parse(Path(given).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise GclipError(
            f"The text file of words {given} cannot be read; check its name."
        ) from error


def find_images(given: Iterable[Path]) -> list[Path]:
    """The given images, and those in given folders, in the order of their names.

    Raises GclipError for a folder without images.
    """
    photos = []
    for path in given:
        files = [path]
        if path.is_dir():
            shown = (file for file in path.iterdir() if not file.name.startswith("."))
            files = sorted(file for file in shown if file.suffix.lower() in images.SUFFIXES)
        if not files:
            raise GclipError(
                f"There are no images in the folder {path}; name a folder with "
                f"{', '.join(images.SUFFIXES)} files in it (its subfolders are not searched)."
            )
        photos += files
    return photos


def unique_names(photos: Iterable[Path]) -> list[str]:
    """The name of each image's output files: its own, with a number if another image has it, too.

    Case is ignored, because some file systems ignore it.
    """
    names, taken = [], set[str]()
    for photo in photos:
        name, number = photo.stem, 1
        while not taken.isdisjoint((name + ending).casefold() for ending in ENDINGS):
            number += 1
            name = f"{photo.stem}-{number}"
        taken.update((name + ending).casefold() for ending in ENDINGS)
        names.append(name)
    return names


def check_outputs(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raises GclipError if an output file would overwrite an input."""
    read = {str(path.resolve()).casefold() for path in inputs}  # some file systems ignore case
    for output in outputs:
        for path in (output.with_name(output.name + ending) for ending in ENDINGS):
            if str(path.resolve()).casefold() in read:
                raise GclipError(
                    f"No input may be overwritten, but {path} is an input; choose another folder "
                    "with --out."
                )


def save(output: Path, picture: Image.Image, result: Segmentation) -> None:
    """Writes the mask, the overlay and the summary of an image, and puts them in place together."""
    labels, names = result.labels.numpy(), result.vocabulary.names
    colours = palette.choose(len(names), labels, picture)
    facts = json.dumps(result.to_dict(), indent=1, ensure_ascii=False)
    with TemporaryDirectory(prefix=".gclip-", dir=output.parent) as folder:  # on the same disk
        mask, overlay, summary = files = [Path(folder, output.name + ending) for ending in ENDINGS]
        mask.write_bytes(palette.indexed(labels, colours, names))
        palette.painted(picture, labels, colours).save(overlay)
        summary.write_text(facts + "\n", "utf-8")
        for file in files:
            file.replace(output.parent / file.name)


if __name__ == "__main__":
    sys.exit(main())
