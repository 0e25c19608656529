"""Step ``map`` trains the map from a patch's features to a vector in the space of words further.

Masks teach the words that they label, the built-in model all others. The logit of word k is
``s_k = 40 cos(patch, word k)``. A patch has the label that covers at least 60 % of it. The loss has
these terms:

- all: cross-entropy over all words of masks and all words that the model can suggest, except
  near-synonyms;
- photo: cross-entropy over the words of the patch's photo, as a person would type them, and some of
  its source's other words: for each patch, each is drawn with the probability OTHERS / (number of
  the words of all masks);
- none: ``-log(1 - p)`` of a background patch, where ``p`` is the total probability of its source's
  words; the sum over these patches is divided by the number of all labelled patches;
- teacher: KL(built-in, map) of the probabilities of all words that the map learns, for patches
  without a label; for background patches, over the words that are not their source's;
- near: ``1 - cos(built-in's vector, vector)`` of patches without a label.

    loss = all / 2 + 2 photo + 2 none + teacher + 4 near

Patches without a label come from photos with masks and without. Half of the features are dropped at
each step (dropout, Srivastava et al. 2014): otherwise, the map soon memorises few photos.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gclip_core.backbones.load import load_backbone
from gclip_core.words import text
from training import pack
from training.data import folder_of, read
from training.network import FEATURES, PatchMap
from training.patches import Patches, stored
from training.words import NONE

SCALE = 40.0
"""The factor of cosines, the model's logit scale."""
WEIGHTS = {"all": 0.5, "photo": 2.0, "none": 2.0, "teacher": 1.0, "near": 4.0}
"""Chosen on one half of COCO's photos, with models trained without it, and on the photos that
ship: ``near`` and ``teacher`` preserve what the built-in model knows about words without masks."""
DROPPED = 0.5
"""The share of the features that is dropped."""
LABELLED, FREE = 2048, 1024
"""Patches per step: with a label, and without one."""
OTHERS = 10
"""The mean number of words added to those of a patch's photo, if its source has all words; a source
with half of the words of all masks adds five."""
RATE, STEPS = 3e-4, 150
"""The learning rate and the steps. 20 photos of garments raised the mean IoU on 40 others from 54.3
to 68.7 at a rate of 3e-4 (1e-3: 67.0, 3e-3: 65.9), at the cost of 0.2 points on COCO's photos (0.4,
3.9); measured once, at 320 pixels."""
_RISING, _LEAST = 0.1, 0.02
"""The share of the steps over which the learning rate rises, and that of its maximum to which it
falls."""
_NEVER = -1e4
"""The logit of a word that is not compared."""


def mask_terms(
    logits: Tensor, label: Tensor, alike: Tensor, own: Tensor, present: Tensor
) -> dict[str, Tensor]:
    """The terms ``all``, ``photo`` and ``none`` of patches' logits (n, V) with labels (n,), numbers
    of words or NONE.

    ``alike`` (V, V) bool tells which words are not compared; ``own`` and ``present`` (n, V) are the
    words of the patch's source, and those with which its photo is compared.
    """
    known = label != NONE
    truth = label[known]
    comparable = logits[known].masked_fill(alike[truth], _NEVER)
    of_photo = comparable.masked_fill(~present[known].scatter(1, truth[:, None], True), _NEVER)
    unnamed = logits[~known]
    log_p = unnamed.masked_fill(~own[~known], _NEVER).logsumexp(1) - unnamed.logsumexp(1)
    away = -torch.log1p(-log_p.exp().clamp(max=1 - 1e-4))
    return {
        "all": F.cross_entropy(comparable, truth),
        "photo": F.cross_entropy(of_photo, truth),
        "none": away.sum() / len(label),
    }


def teacher_term(logits: Tensor, theirs: Tensor, hidden: Tensor) -> Tensor:
    """The term ``teacher`` of logits (n, V), given the built-in's and which words do not count,
    ``hidden`` (n, V)."""
    ours, theirs = (of.masked_fill(hidden, _NEVER).log_softmax(1) for of in (logits, theirs))
    return F.kl_div(ours, theirs, reduction="batchmean", log_target=True)


def fit(
    parameters: Sequence[nn.Parameter], losses: Callable[[], Mapping[str, Tensor]], steps: int
) -> None:
    """Minimises the sum of ``losses()``, weighted by WEIGHTS, with AdamW, and prints them about ten
    times. The learning rate rises to RATE and decays with half a cosine."""
    for parameter in parameters:
        parameter.requires_grad_()
    optimiser = torch.optim.AdamW(parameters, RATE, weight_decay=0.01)

    def share(step: int) -> float:
        fall = max(_LEAST, (1 + math.cos(math.pi * step / steps)) / 2)
        return fall * min(1.0, (step + 1) / (_RISING * steps))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, share)
    start = time.time()
    for step in range(steps):
        values = losses()
        optimiser.zero_grad()
        sum(WEIGHTS[name] * loss for name, loss in values.items()).backward()
        optimiser.step()
        schedule.step()
        if (step + 1) % max(1, steps // 10) == 0:
            shown = (f"{name} {loss.item():.4f}" for name, loss in values.items())
            print(step + 1, *shown, f"{time.time() - start:.0f} s", flush=True)
    for parameter in parameters:
        parameter.requires_grad_(False)


def run(
    data: Path, work: Path, without: str | None = None, seed: int = 0, steps: int = STEPS
) -> None:
    """Learns from all photos that ``without`` does not hold out, and writes the model's files."""
    opened = read(data, without)
    words, model = opened.words(), load_backbone()
    patches = Patches(words, work, opened.masks)
    others = [stored(work, photo)["features"].reshape(-1, FEATURES) for photo in opened.others]
    free = np.concatenate([*others, patches.unknown])  # patches without a label, (n, FEATURES)
    before, network = (PatchMap(model, *patches.statistics()) for _ in range(2))
    vectors = text.embed(model, words.all)
    alike, share = words.alike(vectors), OTHERS / int(patches.words_of.any(0).sum())
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)

    def logits(of: Tensor) -> Tensor:
        return SCALE * of @ vectors.T

    def losses() -> dict[str, Tensor]:
        labelled, label, view = patches.sample(rng, LABELLED)
        rows = rng.integers(len(free), size=FREE)
        features = torch.cat([labelled, torch.from_numpy(free[rows].astype(np.float32))])
        dropped = network.mean + F.dropout(features - network.mean, DROPPED)
        of_patches, of_free = network(dropped).split([LABELLED, FREE])
        own = patches.words_of[patches.source[view]]
        sampled = torch.rand(LABELLED, len(words.all)) < share
        present = patches.present[view] | (own & sampled)
        found = mask_terms(logits(of_patches), label, alike, own, present)
        none = label == NONE
        with torch.no_grad():
            theirs = before(torch.cat([features[LABELLED:], labelled[none]]))
        hidden = torch.zeros(len(theirs), len(words.all), dtype=torch.bool)
        hidden[FREE:] = own[none]
        ours = torch.cat([of_free, of_patches[none]])
        found["teacher"] = teacher_term(logits(ours), logits(theirs), hidden)
        found["near"] = 1 - (of_free * theirs[:FREE]).sum(1).mean()
        return found

    fit([*network.learned()], losses, steps)
    out = folder_of(work, without, seed) / "packed"
    pack.write(out, network.exported(), words.all, opened.own_words())
    print(f"{out} has the model: python app.py --backbone built-in --weights {out}")
