"""The first model, which the recipe goes on from: the built-in model that shipped before.

It was taught by words of whole photos. Of it stay the stem, the text tower and all words with their
vectors; its map teaches the new one where no mask tells what a patch is.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file, save_file

from gclip_core.backbones.backbone import Backbone
from gclip_core.backbones.load import load_backbone
from training.data import FIRST
from training.network import FEATURES, MAP, Network


def load(folder: Path) -> Backbone:
    """The built-in model with the weights in a folder. Raises ValueError if there are none."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ValueError(f"Weights were expected in {folder}, but there are none: README.md.")
    with TemporaryDirectory() as temporary:
        whole = Path(temporary) / "whole.safetensors"
        save_file({k: v for file in files for k, v in load_file(file).items()}, whole)
        return load_backbone("built-in", whole)


def first_model(data: Path) -> Backbone:
    """The first model."""
    return load(data / FIRST)


def map_of(backbone: Backbone) -> Network:
    """A network whose map is that of a model; positions count by their mean."""
    network = Network(torch.zeros(FEATURES), torch.ones(FEATURES))
    weights = backbone.visual.state_dict()
    for name, parameter in network.named_parameters():
        prefix = "conv1." if name.split(".")[0] in MAP else ""
        parameter.copy_(weights[prefix + name.replace("blocks.", "transformer.resblocks.")])
    network.linear.bias.data += network.positional_embedding[1:].mean(0)
    return network.eval()
