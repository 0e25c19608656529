"""The BACKBONES table: every CLIP we know by name, with what a person and the method need."""

from __future__ import annotations

from dataclasses import dataclass

from gclip_core.errors import BackboneError
from gclip_core.types import Blocks

BUILT_IN = "built-in"
PHOTOS = "built-in-photos"

Triple = tuple[float, float, float]

OPENAI_MEAN: Triple = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD: Triple = (0.26862954, 0.26130258, 0.27577711)
HALF: Triple = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class BackboneEntry:
    """One backbone: what to know before choosing it, and what the method needs.

    ``architecture`` and ``tag`` are open_clip's names (quickgelu where the weights need it);
    ``parameters`` in millions, ``download`` in megabytes, ``patch`` and ``short_side`` in pixels;
    ``amf_blocks`` and ``cs_blocks`` are the defaults taken by ``"backbone"`` (0-based).
    ``files`` are other names under which people keep these weights.
    """

    name: str
    title: str
    architecture: str
    tag: str
    parameters: float
    download: int
    licence: str
    blocks: int
    patch: int
    mean: Triple = OPENAI_MEAN
    std: Triple = OPENAI_STD
    short_side: int = 336
    amf_blocks: Blocks = "auto"
    cs_blocks: Blocks = "auto"
    files: tuple[str, ...] = ()


def _table(*entries: BackboneEntry) -> dict[str, BackboneEntry]:
    return {entry.name: entry for entry in entries}


BACKBONES: dict[str, BackboneEntry] = _table(
    # Loads like any other but for one step, `load`: its file holds only the
    # token rows that training saw, which are scattered into the full table.
    BackboneEntry(
        BUILT_IN,
        "Built-in (emoji scenes)",
        "built-in",
        "",
        parameters=7.6,
        download=0,
        licence="MIT",
        blocks=12,
        patch=8,
        short_side=192,
    ),
    # Its patch embedding is a convolutional stem (`stem`), in a file of its own.
    BackboneEntry(
        PHOTOS,
        "Built-in (photos)",
        PHOTOS,
        "",
        parameters=25.4,
        download=0,
        licence="research and teaching",
        blocks=12,
        patch=16,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        short_side=320,
    ),
    BackboneEntry(
        "openai-vit-b-16",
        "OpenAI ViT-B/16",
        "ViT-B-16-quickgelu",
        "openai",
        parameters=149.6,
        download=599,
        licence="MIT",
        blocks=12,
        patch=16,
        amf_blocks=(5, 6),
        cs_blocks=(6, 7, 8, 9, 10),
        files=("ViT-B-16.pt",),
    ),
    BackboneEntry(
        "openai-vit-b-32",
        "OpenAI ViT-B/32",
        "ViT-B-32-quickgelu",
        "openai",
        parameters=151.3,
        download=605,
        licence="MIT",
        blocks=12,
        patch=32,
        files=("ViT-B-32.pt",),
    ),
    BackboneEntry(
        "openai-vit-l-14",
        "OpenAI ViT-L/14",
        "ViT-L-14-quickgelu",
        "openai",
        parameters=427.6,
        download=1711,
        licence="MIT",
        blocks=24,
        patch=14,
        files=("ViT-L-14.pt",),
    ),
    BackboneEntry(
        "openai-vit-l-14-336",
        "OpenAI ViT-L/14 at 336",
        "ViT-L-14-336-quickgelu",
        "openai",
        parameters=427.9,
        download=1712,
        licence="MIT",
        blocks=24,
        patch=14,
        files=("ViT-L-14-336px.pt",),
    ),
    BackboneEntry(
        "laion2b-vit-b-16",
        "OpenCLIP LAION-2B ViT-B/16",
        "ViT-B-16",
        "laion2b_s34b_b88k",
        parameters=149.6,
        download=599,
        licence="MIT",
        blocks=12,
        patch=16,
    ),
    BackboneEntry(
        "laion2b-vit-l-14",
        "OpenCLIP LAION-2B ViT-L/14",
        "ViT-L-14",
        "laion2b_s32b_b82k",
        parameters=427.6,
        download=1711,
        licence="MIT",
        blocks=24,
        patch=14,
        mean=HALF,
        std=HALF,
    ),
    BackboneEntry(
        "metaclip-vit-b-16",
        "MetaCLIP ViT-B/16",
        "ViT-B-16-quickgelu",
        "metaclip_fullcc",
        parameters=149.6,
        download=599,
        licence="CC-BY-NC-4.0",
        blocks=12,
        patch=16,
        files=("b16_fullcc2.5b.pt",),
    ),
    BackboneEntry(
        "metaclip-vit-l-14",
        "MetaCLIP ViT-L/14",
        "ViT-L-14-quickgelu",
        "metaclip_fullcc",
        parameters=427.6,
        download=1711,
        licence="CC-BY-NC-4.0",
        blocks=24,
        patch=14,
        files=("l14_fullcc2.5b.pt",),
    ),
    BackboneEntry(
        "datacomp-vit-b-16",
        "DataComp ViT-B/16",
        "ViT-B-16",
        "datacomp_xl_s13b_b90k",
        parameters=149.6,
        download=599,
        licence="MIT",
        blocks=12,
        patch=16,
    ),
)


def built_in_for(drawn: bool) -> str:
    """The shipped model that knows such pictures: drawn scenes, or photos."""
    return BUILT_IN if drawn else PHOTOS


def find_backbone(name: str) -> BackboneEntry:
    """The BACKBONES entry of that name.

    Raises:
        BackboneError: no such entry; the message lists the valid names.
    """
    if name not in BACKBONES:
        raise BackboneError(
            f"'{name[:80]}' is not a backbone. Choose one of: {', '.join(BACKBONES)}."
        )
    return BACKBONES[name]
