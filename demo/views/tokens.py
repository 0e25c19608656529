"""Global tokens of the trunk that runs, with its fault and CS."""

import numpy as np
from numpy.typing import NDArray

from demo.look import Look
from gclip_core import amf, encoder
from gclip_core.types import Encoded, Found, GlobalTokens

Floats = NDArray[np.float32]


def globality(look: Look, trunk: Encoded, found: Found) -> tuple[GlobalTokens, Floats]:
    """Global tokens and what patches receive, (L, N), on the trunk that runs.

    Up to the first block that a fault or CS changes it is the clean one's, which is kept.
    """
    seg, clean, received = look.segmenter, look.globality, look.segmenter.received(trunk)
    changed = [*found.suppressed, *(b for plant in seg.backbone.planted for b in plant.blocks)]
    if not changed:
        return clean, received.numpy()

    def make() -> tuple[GlobalTokens, Floats]:
        rows = received.clone()
        agreement, tokens = list(clean.agreement), list(clean.tokens)
        for block in range(min(changed) + 1, len(rows)):
            attention = seg.attention_map(trunk, block)
            patches = amf.patch_attention(attention)
            rows[block] = amf.received(patches)
            tokens[block] = amf.global_tokens(rows[block], clean.threshold)
            agreement[block] = amf.agreement_with_class_token(
                patches[list(tokens[block])], attention[0, 1:]
            )
        scores = tuple(rows.amax(1).tolist())
        return GlobalTokens(scores, tuple(tokens), tuple(agreement), clean.threshold), rows.numpy()

    return encoder.once(trunk, ("tokens of the trunk that runs", clean.threshold), make)
