"""Named endpoints for programs: plain typed data in, plain data out; blocks counted from 1.

Each takes an image (a file) or none for the first example, words as a person types them,
and the two switches. What they do not name keeps the page's defaults.
"""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, TypedDict

import gradio as gr
import numpy as np
from gradio.data_classes import FileData

from demo import variants
from demo.controls import HEAVY, in_words
from demo.host.files import path_of, zip_file
from demo.look import Look, Mask, Request, Studio, changed_share
from demo.settings import read
from demo.tabs import attention as attention_view
from demo.tabs import compare as compare_view
from demo.tabs import export as export_view
from demo.tabs import norms, why
from gclip_core.errors import GclipError
from gclip_core.methods import METHODS, find_method
from gclip_core.numbering import block_choice, block_numbers
from gclip_core.registry import BACKBONES, find_backbone
from gclip_core.version import __version__


class ClassMask(TypedDict):
    """One class: its name, its share of the pixels, its mask as COCO's compressed RLE."""

    name: str
    share: float
    rle: dict[str, Any] | None


def add(studio: Studio) -> None:
    """Register the public endpoints in the page that is being built."""
    for name, endpoint in endpoints(studio).items():
        gr.api(endpoint, api_name=name, **({"queue": False} if name == "about" else HEAVY))


def endpoints(studio: Studio) -> dict[str, Callable[..., Any]]:
    """The seven endpoints by name."""

    def segment(
        image: FileData | None = None,
        words: str = "",
        amf: bool = True,
        cs: bool = True,
        method: str = "gclip",
        backbone: str = "",
        amf_blocks: str = "backbone",
        cs_blocks: str = "backbone",
        threshold: float = 0.0,
        rest: bool = True,
    ) -> dict[str, Any]:
        """Segment an image: a mask per class as COCO RLE, with its share of the pixels.

        amf_blocks and cs_blocks are "auto", "backbone" or numbers from 1 such as "6 7".
        rest: pixels that fit none of the words stay without a class.
        Without an image, the first example is taken (and its own words, if none are given).
        Returns {height, width, classes: [{name, share, rle}], rest: share, method, facts, miou,
        unknown: [word], notes: [sentence]}.
        """
        look = _look(
            studio, image, words, amf=amf, cs=cs, method=find_method(method).name,
            backbone=backbone, amf_blocks=block_choice(amf_blocks),
            cs_blocks=block_choice(cs_blocks),
            threshold=threshold, background="on" if rest else "off",
        )  # fmt: skip
        view, status = export_view.see(look), look.done("segment")
        rle = export_view.coco_json(view.mask.labels.astype(np.int32), view.mask.names)
        return {
            "height": look.picture.image.height,
            "width": look.picture.image.width,
            "method": view.mask.title,
            "classes": _classes(view.mask, rle),
            "rest": view.mask.shares[-1],
            "miou": view.mask.miou,
            "facts": view.facts,
            "unknown": list(status.unknown),
            "notes": list(status.notes),
        }

    def compare(
        image: FileData | None = None,
        words: str = "",
        variants: str = "clip clearclip amf cs amf_cs",
        backbone: str = "",
    ) -> list[dict[str, Any]]:
        """Segment with several variants from one pass: areas, change against the one before, mIoU.

        variants: names that /about lists as such.
        Returns [{variant, title, areas: {class: share}, changed, miou}].
        """
        names = _variant_names(variants)
        look = _look(studio, image, words, backbone=backbone)
        view = compare_view.see(look, names)
        look.done("compare")
        made = list(view.masks.values())
        pairs = zip(made, made[1:], strict=False)
        changed = (None, *(changed_share(one.labels, other.labels) for one, other in pairs))
        return [
            {
                "variant": name,
                "title": mask.title,
                "areas": dict(zip(mask.names, mask.areas, strict=True)),
                "changed": moved,
                "miou": mask.miou,
            }
            for (name, mask), moved in zip(view.masks.items(), changed, strict=True)
        ]

    def attention(
        image: FileData | None = None,
        block: int = 0,
        head: int = 0,
        row: int = 0,
        column: int = 0,
        amf: bool = True,
        cs: bool = True,
        backbone: str = "",
    ) -> dict[str, Any]:
        """Where the patch at (row, column) looks in a block, and every block's global tokens.

        block counts from 1 (0: the first that AMF takes), head from 1 (0: their mean), row and
        column from 0. Returns {grid, block, attention: [h][w], used_without_amf, used_with_amf,
        scores: per block, tokens: per block [[row, column]], amf_blocks, reason}.
        """
        found = studio.backbone(backbone or studio.default.name)
        n, heads = found.n_blocks, found.n_heads
        if not 0 <= block <= n:
            raise GclipError(f"Blocks run from 1 to {n} (0: the first AMF takes), not {block}.")
        if not 0 <= head <= heads:
            raise GclipError(f"Heads run from 1 to {heads} (0: their mean), not {head}.")
        look = _look(
            studio, image, "anything", amf=amf, cs=cs, backbone=backbone,
            view_block=block - 1 if block else None, view_head=head - 1 if head else None,
        )  # fmt: skip
        height, width = look.grid
        if not (0 <= row < height and 0 <= column < width):
            raise GclipError(
                f"Patches run to row {height - 1}, column {width - 1}, not {row}, {column}."
            )
        view, at = attention_view.see(look), row * width + column
        look.done("attention")

        def row_of(matrix: np.ndarray) -> list[list[float]]:
            return matrix[at].reshape(look.grid).tolist()

        return {
            "grid": [height, width],
            "block": view.block + 1,
            "attention": row_of(view.matrix),
            "used_without_amf": row_of(view.used_plain),
            "used_with_amf": row_of(view.used_fused),
            "scores": list(view.scores),
            "tokens": [[list(divmod(t, width)) for t in tokens] for tokens in view.tokens],
            "amf_blocks": list(block_numbers(view.fusion.blocks)),
            "reason": view.fusion.reason,
        }

    def channels(
        backbone: str = "", block: int = 0, plant_channel: int = -1, plant_gain: float = 100.0
    ) -> dict[str, Any]:
        """Norms of every FFN output channel of a block, before and after CS.

        block counts from 1 (0: the one with the largest max/median). plant_channel simulates an
        abnormal channel (-1: none). Returns {block, before, after, blocks: [{block, channel,
        ratio, entropy, entropy_after}], abnormal, suppressed, reason, simulation}.
        """
        more: dict[str, Any] = {}
        if plant_channel >= 0:
            more = {"plant": True, "plant_channel": plant_channel, "plant_gain": plant_gain}
        look = _look(studio, None, "anything", backbone=backbone, **more)
        width = look.bare.backbone.width
        if plant_channel >= width:
            raise GclipError(f"Channels run from 0 to {width - 1}, not {plant_channel}.")
        view = norms.see(look)
        look.done("channels")
        found, n = view.found, len(view.before)
        if not 0 <= block <= n:
            raise GclipError(f"Blocks run from 1 to {n} (0: the one that stands out), not {block}.")
        at = block - 1 if block else int(np.argmax(found.ratios))
        return {
            "block": at + 1,
            "before": view.before[at].tolist(),
            "after": view.after[at].tolist(),
            "blocks": [
                {
                    "block": index + 1,
                    "channel": found.channels[index],
                    "ratio": found.ratios[index],
                    "entropy": float(found.entropy[index]),
                    "entropy_after": float(found.entropy_after[index]),
                }
                for index in range(n)
            ],
            "abnormal": list(block_numbers(found.abnormal)),
            "suppressed": list(block_numbers(found.suppressed)),
            "reason": found.cs_reason,
            "simulation": view.planted,
        }

    def explain_pixel(
        image: FileData | None = None,
        words: str = "",
        row: int = 0,
        column: int = 0,
        top: int = 5,
        backbone: str = "",
    ) -> list[dict[str, Any]]:
        """The best classes at a pixel under every variant: [{variant, top: [{name, score}]}].

        row and column count from 0 at the top left of the image's own size.
        """
        look = _look(studio, image, words, backbone=backbone)
        pixels = look.picture.image
        if not (0 <= row < pixels.height and 0 <= column < pixels.width):
            raise GclipError(
                f"Pixels run to row {pixels.height - 1}, column {pixels.width - 1}, "
                f"not {row}, {column}."
            )
        found = why.see(look, (row, column), top=max(1, top))
        look.done("explain_pixel")
        return [
            {
                "variant": one.title,
                "top": [{"name": name, "score": score} for name, score in one.top],
            }
            for one in found
        ]

    def export_zip(
        image: FileData | None = None,
        words: str = "",
        amf: bool = True,
        cs: bool = True,
        backbone: str = "",
    ) -> FileData:
        """A zip: indexed PNG mask, overlay, COCO RLE, settings with versions, Python to repeat."""
        look = _look(studio, image, words, amf=amf, cs=cs, backbone=backbone)
        path = zip_file(export_view.see(look).zip())
        look.done("export")
        return FileData(path=path)

    def about() -> dict[str, Any]:
        """What runs here: version, methods, backbones, and which of them need a download."""
        return {
            "version": __version__,
            "backbone": studio.default.name,
            "methods": list(METHODS),
            "variants": list(variants.VARIANTS),
            "backbones": [
                {
                    "name": entry.name,
                    "title": entry.title,
                    "blocks": entry.blocks,
                    "patch": entry.patch,
                    "licence": entry.licence,
                    "download_mb": entry.download,
                    "here": studio.has(entry),
                }
                for entry in BACKBONES.values()
            ],
            "cache": {
                "bytes": studio.cache.size,
                "limit": studio.cache.limit,
            },
        }

    made = {
        "segment": segment,
        "compare": compare,
        "attention": attention,
        "channels": channels,
        "explain_pixel": explain_pixel,
        "export": export_zip,
        "about": about,
    }
    return {name: in_words(_answered(endpoint)) for name, endpoint in made.items()}


def _answered(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """The endpoint, its answer without nan."""

    @wraps(endpoint)
    def asked(*values: Any, **named: Any) -> Any:
        return _finite(endpoint(*values, **named))

    return asked


def _finite(value: Any) -> Any:
    """The value without nan, which JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value


def _look(
    studio: Studio, image: FileData | None, words: str, backbone: str = "", **more: Any
) -> Look:
    name = find_backbone(backbone).name if backbone else "default"
    source = "upload" if image else "example"
    settings = read({**more, "source": source, "words": words, "backbone": name})
    upload = path_of(image)
    if not settings.words.strip() and not image:
        settings = settings.changed(words=studio.picture(settings).words)
    return studio.look(Request(settings, upload))


def _variant_names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(str(text).replace(",", " ").split()))
    unknown = [name for name in names if name not in variants.VARIANTS]
    if unknown or not names:
        raise GclipError(
            f"Variants are {', '.join(variants.VARIANTS)}, but '{(unknown or [''])[0][:40]}' came."
        )
    return names


def _classes(mask: Mask, coco: dict[str, Any]) -> list[ClassMask]:
    found = {a["category_id"] - 1: a["segmentation"] for a in coco["annotations"]}
    return [
        {"name": name, "share": share, "rle": found.get(index)}
        for index, (name, share) in enumerate(zip(mask.names, mask.areas, strict=True))
    ]
