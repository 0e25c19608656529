"""GCLIP in one file (Wang, Yan, Kang, arXiv 2502.06818); docs/METHOD.md has the rules' sources."""

from typing import Any

import torch
import torch.nn.functional as F
from open_clip import OPENAI_IMAGENET_TEMPLATES, image_transform
from torch import Tensor

GLOBAL_THRESHOLD, CHANNEL_THRESHOLD = 5, 2  # times uniform attention; times the median norm


@torch.no_grad()
def segment(backbone: Any, image: Any, words: list[str]) -> Tensor:
    """The index of each pixel's word, (height, width); a backbone comes from ``load_backbone``."""
    patch, scale = backbone.patch, backbone.short_side / min(image.size)
    size: Any = [int(side * scale / patch + 0.5) * patch for side in reversed(image.size)]
    to_pixels: Any = image_transform(size, False, backbone.mean, backbone.std, "squash")
    prompts = [[t(word) for t in OPENAI_IMAGENET_TEMPLATES] for word in words]
    each = torch.stack([backbone.model.encode_text(backbone.tokenizer(p)) for p in prompts])
    text = F.normalize(F.normalize(each, dim=-1).mean(1), dim=-1)  # (words, E)
    cosines = features(backbone.visual, to_pixels(image)) @ text.T  # (h, w, words)
    maps = F.interpolate(cosines.permute(2, 0, 1)[None], image.size[::-1], mode="bilinear")
    return maps[0].argmax(0)


def features(visual: Any, pixels: Tensor) -> Tensor:
    """Normalised pixels, (3, height, width), to features of patches, (h, w, E), L2-normalised."""
    patches = visual.conv1(pixels[None])  # (1, D, h, w)
    places = visual.positional_embedding[1:].T.unflatten(1, visual.grid_size)[None]
    places = F.interpolate(places, patches.shape[2:], mode="bicubic")  # trained for another grid
    first = visual.class_embedding + visual.positional_embedding[0]
    x = visual.ln_pre(torch.cat([first[None], (patches + places).flatten(2)[0].T]))  # (T, D)
    *trunk, last = visual.transformer.resblocks
    block = first_with_global_tokens(run(trunk, x)[0])  # chosen without CS
    maps, x = run(trunk, x, suppress=True)
    q, _, v = heads(last, x)
    A = attention(q, q)  # ClearCLIP: a patch attends to patches like itself
    A = (A + maps[block] + maps[block + 1]) / 3  # AMF: and to global tokens, the image's context
    z = last.attn.out_proj((A @ v).transpose(0, 1).flatten(1))  # no residual path, no FFN
    return F.normalize(visual.ln_post(z[1:]) @ visual.proj, dim=-1).unflatten(0, patches.shape[2:])


def run(trunk: Any, x: Tensor, suppress: bool = False) -> tuple[list[Tensor], Tensor]:
    """The attention of each block, (H, T, T), and the output of the last one, (T, D)."""
    maps: list[Tensor] = []
    for block in trunk:
        q, k, v = heads(block, x)
        maps.append(attention(q, k))
        x = x + block.attn.out_proj((maps[-1] @ v).transpose(0, 1).flatten(1))
        W2 = block.mlp.c_proj.weight  # (D, 4D): row d computes channel d of the FFN's output
        W2 = suppressed(W2) if suppress else W2
        x = x + F.linear(block.mlp.gelu(block.mlp.c_fc(block.ln_2(x))), W2, block.mlp.c_proj.bias)
    return maps, x


def first_with_global_tokens(maps: list[Tensor]) -> int:
    """The first block such that it and all later ones have a global token; else, a middle block."""
    patches = [A.mean(0)[1:, 1:] for A in maps]  # (N, N), without the class token
    received = [len(A) * (A / A.sum(1, keepdim=True)).mean(0) for A in patches]  # 1 if uniform
    has = [bool(m.max() >= GLOBAL_THRESHOLD) for m in received]
    return next((i for i in range(1, len(has) - 1) if all(has[i:])), (len(has) - 1) // 2)


def suppressed(W2: Tensor) -> Tensor:
    """CS: an outlier channel, if there is one, is scaled to the mean norm of the others."""
    norms = W2.norm(dim=1)
    others = (norms.sum() - norms.max()) / (len(norms) - 1)
    outlier = (norms == norms.max()) & (norms >= CHANNEL_THRESHOLD * norms.quantile(0.5))
    return W2 * torch.where(outlier, others / norms, 1)[:, None]


def heads(block: Any, x: Tensor) -> Tensor:
    """Queries, keys and values of a block's input: (3, H, T, d)."""
    qkv = F.linear(block.ln_1(x), block.attn.in_proj_weight, block.attn.in_proj_bias)
    return qkv.unflatten(1, (3, block.attn.num_heads, -1)).permute(1, 2, 0, 3)


def attention(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.transpose(1, 2) / a.shape[2] ** 0.5).softmax(2)  # (H, T, T), rows sum to 1
