"""How a run measures itself while it trains: small, quick, the same scenes every time.

The card's figures come from `training.measure`, which uses the library itself; here the class
token and the Values' patches, which training computes anyway, are enough to see where a run goes.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from torch import Tensor

from gclip_core import metric, scenes
from training import model
from training.words import IMAGENET, Tokens, all_words

SIDE = 96
_TEMPLATES = IMAGENET[::12]  # seven of the eighty


@dataclass(frozen=True, eq=False)
class Test:
    """Scenes of one style: singles have one thing each, the others as many as their seeds say."""

    name: str
    singles: tuple[scenes.Scene, ...]
    scenes: tuple[scenes.Scene, ...]


def tests(count: int = 128) -> tuple[Test, ...]:
    """A seen and the held-out style, with seeds that neither training nor measuring uses."""
    size = (SIDE, SIDE)
    return tuple(
        Test(
            style,
            tuple(scenes.compose(9_000_000 + i, size, style, things=1) for i in range(count)),
            tuple(scenes.compose(9_100_000 + i, size, style) for i in range(count)),
        )
        for style in ("seen", "held-out")
    )


def word_embeddings(net: CLIP, tokens: Tokens) -> Tensor:
    """Every word's embedding, averaged over seven templates: (words, E)."""
    total = torch.zeros(())
    for template in _TEMPLATES:
        rows = tokens.encode([template.format(word.name) for word in all_words()])
        total = total + model.encode_text(net, torch.from_numpy(rows).to(_device(net)))
    return F.normalize(total, dim=-1)


def _device(net: CLIP) -> torch.device:
    return net.logit_scale.device


def _encode(net: CLIP, made: tuple[scenes.Scene, ...]) -> tuple[Tensor, Tensor]:
    pixels = torch.from_numpy(np.stack([np.asarray(s.image) for s in made])).to(_device(net))
    parts = [model.encode_images(net, model.normalise(p)) for p in pixels.split(32)]
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])


@torch.no_grad()
def check(net: CLIP, made: tuple[Test, ...], tokens: Tokens) -> dict[str, float]:
    """Per style: top-1 of a single thing among all things, and mIoU of the Values' patches."""
    words = [word.name for word in all_words()]
    things = len(scenes.things())
    embeddings = word_embeddings(net, tokens)
    found = {}
    for test in made:
        pooled, _ = _encode(net, test.singles)
        best = (pooled @ embeddings[:things].T).argmax(1).tolist()
        right = [words[b] == s.things[0] for b, s in zip(best, test.singles, strict=True)]
        found[f"{test.name} top-1"] = round(100 * float(np.mean(right)), 1)
        _, local = _encode(net, test.scenes)
        side = SIDE // model.CONFIG["vision_cfg"]["patch_size"]
        results = []
        for scene, patches in zip(test.scenes, local, strict=True):
            columns = [words.index(word) for word in scene.words]
            grid = (patches @ embeddings[columns].T).T.reshape(1, -1, side, side)
            full = F.interpolate(grid, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
            best = full[0].argmax(0).cpu().numpy()
            counts = metric.confusion(scene.labels, best, len(columns))
            results.append(metric.scores(counts).miou)
        found[f"{test.name} mIoU"] = round(100 * float(np.mean(results)), 1)
    return found
