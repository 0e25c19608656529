"""Names of shapes and sizes.

Dimensions: ``B`` items of a batch, ``L`` blocks, ``D`` width, ``H`` heads, ``d = D / H`` head
width, ``h, w`` the patch grid, ``N = h * w`` patch tokens, ``T = 1 + N`` tokens, ``E`` embedding
width, ``C`` classes. Others are words, such as ``channels``, or explained where they stand; pixels
are ``height, width``. Height is before width. Blocks count from 0 in Python, and from 1 in text for
people (``gclip_core.numbering``).

A block input ``x`` is (1+N, D); its token 0 is the class token. Attention ``A`` is (H, 1+N, 1+N);
its rows sum to 1, or to 2 for a sum of two softmaxes. ``W2`` (D, 4D) is the FFN's second linear
layer, ``mlp.c_proj.weight``.
"""

from collections.abc import Iterable
from typing import Any, Literal

Grid = tuple[int, int]
"""Rows and columns of patches."""

Size = tuple[int, int]
"""Height and width in pixels."""

Blocks = Literal["auto", "backbone"] | Iterable[int]
"""0-based block indices; ``"auto"``: chosen by measurement; ``"backbone"``: the backbone's default
(the paper's blocks for OpenAI ViT-B/16, else ``"auto"``)."""

Module = Any
"""A module of open_clip or PyTorch; type checkers do not know its parts (``block.attn``)."""
