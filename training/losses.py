"""The losses of the map: cross-entropies of patches over words.

The logit of word k at a patch is `s_k = scale cos(patch, word k) + log prior_k`, and
`log Z = log sum_j exp(s_j)` goes over the words that a step compares.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.pseudo_labels import LabelSpace
from training.words import Label


def place_loss(scores: Tensor, log_z: Tensor, share: Tensor) -> Tensor:
    """Cross-entropy of patches with shares of the words that are there.

    `log Z - sum_k share_k s_k`, the mean over patches; scores and share (B, N, K), log_z (B, N).
    """
    return (log_z - (share * scores).sum(-1)).mean()


def thing_loss(
    scores: Tensor, log_z: Tensor, counts: Tensor, label: Tensor
) -> tuple[Tensor, Tensor]:
    """Patches of a thing get one of its words, patches beside it get none of them.

    On the thing `log Z - (mean_k s_k + log sum_k exp(s_k)) / 2`, beside it `-log(1 - p)`, where
    `p = sum_k exp(s_k) / Z`. Each is a mean over its patches, the first `on`, the second `off`.
    scores (B, N, K) are of the thing's words, of which those in `counts` (B, K) count, log_z
    (B, N); label (B, N) is 1 on the thing, -1 beside it, and 0 where it is not known.
    """
    scores = scores.masked_fill(~counts[:, None], -1e4)
    any_of = scores.logsumexp(-1)
    mean = (scores * counts[:, None]).sum(-1) / counts.sum(1)[:, None]
    on, off = (label > 0).float(), (label < 0).float()
    p = (any_of - log_z).exp().clamp(0, 1 - 1e-4)
    loss_on = ((log_z - 0.5 * mean - 0.5 * any_of) * on).sum() / on.sum().clamp_min(1)
    return loss_on, (-(1 - p).log() * off).sum() / off.sum().clamp_min(1)


@dataclass(frozen=True)
class Scorer:
    """Logits of words at patches: by the words' vectors (V, WIDTH), a scale and log priors (V,)."""

    space: LabelSpace
    vectors: Tensor
    scale: Tensor
    log_prior: Tensor

    def scores(self, patches: Tensor, numbers: Tensor) -> Tensor:
        """Logits (B, N, K) of words (B, K) at patches' unit vectors (B, N, WIDTH)."""
        cosines = torch.einsum("bne,bke->bnk", patches, self.vectors[numbers])
        return self.scale * cosines + self.log_prior[numbers][:, None]

    def log_z(
        self, patches: Tensor, labels: Sequence[Label], ignored: Tensor | None = None
    ) -> Tensor:
        """Log of the sum over all words that a step compares: (B, N). Words that may be there
        though no label names them, and those of `ignored` (B, V) bool, are left out."""
        used = self.space.compared(labels)
        hidden = self.space.not_compared(labels, used)
        if ignored is not None:
            hidden |= ignored[:, used]
        logits = self.scale * patches @ self.vectors[used].T + self.log_prior[used]
        return (logits - 1e4 * hidden.float()[:, None]).logsumexp(-1)
