"""The BACKBONES table: every CLIP that can be loaded by name."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from gclip_core.errors import BackboneError
from gclip_core.tables import Table
from gclip_core.types import Blocks

BUILT_IN = "built-in"
Triple = tuple[float, float, float]

OPENAI_MEAN: Triple = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD: Triple = (0.26862954, 0.26130258, 0.27577711)
HALF: Triple = (0.5, 0.5, 0.5)


class Defect(NamedTuple):
    """What is damaged on purpose: the name of the healthy backbone, and the arguments of
    ``damage``."""

    healthy: str
    channel: int
    gain: float
    blocks: tuple[int, ...]


@dataclass(frozen=True)
class BackboneEntry:
    """One backbone: its name, size and licence, and its default settings."""

    name: str
    title: str
    architecture: str | None
    """open_clip's name of the model, with quickgelu if the weights need it; None for the built-in
    model."""
    pretrained: str | None
    """open_clip's name of the weights; None for the built-in model."""
    download: int
    """In megabytes."""
    licence: str
    n_blocks: int
    patch: int
    """Side of a patch in pixels."""
    mean: Triple = OPENAI_MEAN
    std: Triple = OPENAI_STD
    short_side: int = 336
    """In pixels."""
    amf_blocks: Blocks = "auto"
    """AMF's blocks (0-based) for the setting ``"backbone"``."""
    cs_blocks: Blocks = "auto"
    """CS's blocks (0-based) for the setting ``"backbone"``."""
    files: tuple[str, ...] = ()
    """The publisher's names of the weight file."""
    defect: Defect | None = None


_B16: dict[str, Any] = {"download": 599, "n_blocks": 12, "patch": 16}
_B32: dict[str, Any] = {"download": 605, "n_blocks": 12, "patch": 32}
_L14: dict[str, Any] = {"download": 1711, "n_blocks": 24, "patch": 14}
_SHIPPED: dict[str, Any] = {
    "architecture": None, "pretrained": None, "download": 0, "n_blocks": 12, "patch": 16,
    "short_side": 448, "licence": "research and teaching",
    "mean": (127 / 255,) * 3, "std": (128 / 255,) * 3,
}  # fmt: skip

BACKBONES: Table[BackboneEntry] = Table(
    BackboneEntry(BUILT_IN, "Built-in", **_SHIPPED),
    BackboneEntry(
        "built-in-damaged", "Built-in, damaged on purpose", **_SHIPPED,
        # At this gain, AMF raises the mean IoU on the shipped photos, CS more, and both the most.
        defect=Defect(BUILT_IN, channel=77, gain=150.0, blocks=(6, 7, 8, 9, 10)),
    ),
    BackboneEntry(
        "openai-vit-b-16", "OpenAI ViT-B/16", "ViT-B-16-quickgelu", "openai", **_B16,
        licence="MIT", files=("ViT-B-16.pt",),
        amf_blocks=(5, 6), cs_blocks=(6, 7, 8, 9, 10),
    ),
    BackboneEntry(
        "openai-vit-b-32", "OpenAI ViT-B/32", "ViT-B-32-quickgelu", "openai", **_B32,
        licence="MIT", files=("ViT-B-32.pt",),
    ),
    BackboneEntry(
        "openai-vit-l-14", "OpenAI ViT-L/14", "ViT-L-14-quickgelu", "openai", **_L14,
        licence="MIT", files=("ViT-L-14.pt",),
    ),
    BackboneEntry(
        "openai-vit-l-14-336", "OpenAI ViT-L/14 at 336", "ViT-L-14-336-quickgelu", "openai",
        download=1712, n_blocks=24, patch=14,
        licence="MIT", files=("ViT-L-14-336px.pt",),
    ),
    BackboneEntry(
        "laion2b-vit-b-16", "OpenCLIP LAION-2B ViT-B/16", "ViT-B-16", "laion2b_s34b_b88k", **_B16,
        licence="MIT",
    ),
    BackboneEntry(
        "laion2b-vit-l-14", "OpenCLIP LAION-2B ViT-L/14", "ViT-L-14", "laion2b_s32b_b82k", **_L14,
        licence="MIT", mean=HALF, std=HALF,
    ),
    BackboneEntry(
        "metaclip-vit-b-16", "MetaCLIP ViT-B/16", "ViT-B-16-quickgelu", "metaclip_fullcc", **_B16,
        licence="CC-BY-NC-4.0", files=("b16_fullcc2.5b.pt",),
    ),
    BackboneEntry(
        "metaclip-vit-l-14", "MetaCLIP ViT-L/14", "ViT-L-14-quickgelu", "metaclip_fullcc", **_L14,
        licence="CC-BY-NC-4.0", files=("l14_fullcc2.5b.pt",),
    ),
    BackboneEntry(
        "datacomp-vit-b-16", "DataComp ViT-B/16", "ViT-B-16", "datacomp_xl_s13b_b90k", **_B16,
        licence="MIT",
    ),
    what="backbone", error=BackboneError,
)  # fmt: skip
