"""GCLIP in one file: masks of any words from a frozen CLIP (Wang, Yan, Kang, arXiv 2502.06818)."""

from typing import Any

import torch
import torch.nn.functional as F
from open_clip import OPENAI_IMAGENET_TEMPLATES, image_transform
from torch import Tensor

SIDE, PATCH = 336, 16  # pixels
AMF, CS = (5, 6), (6, 7, 8, 9, 10)  # from 0; the paper's 6-7, 7-11, as we read it: docs/METHOD.md


@torch.no_grad()
def segment(model: Any, tokenizer: Any, picture: Any, words: list[str]) -> Tensor:
    """The index of each pixel's word, (height, width). ``model``: ViT-B-16-quickgelu of OpenAI."""
    visual, (*trunk, last) = model.visual, model.visual.transformer.resblocks
    h, w = (int(side * (SIDE / min(picture.size) / PATCH) + 0.5) for side in picture.size[::-1])
    to_input: Any = image_transform((h * PATCH, w * PATCH), is_train=False, resize_mode="squash")
    places = visual.positional_embedding[1:].T.unflatten(1, visual.grid_size)[None]
    places = F.interpolate(places, (h, w), mode="bicubic")  # trained for another grid
    patches = (visual.conv1(to_input(picture)[None]) + places).flatten(2)[0].T  # (N, D), N = h w
    first = visual.class_embedding + visual.positional_embedding[0]
    x = visual.ln_pre(torch.cat([first[None], patches]))  # (T, D), T = 1 + N

    attentions = []
    for index, block in enumerate(trunk):
        q, k, v = heads(block, x)
        A = attention(q, k)
        if index in AMF:  # nearly all patches attend to *global tokens*, which carry the context
            attentions.append(A)
        W2 = block.mlp.c_proj.weight  # (D, 4D): row d writes channel d of the FFN's output
        if index in CS:  # an outlier channel makes the Values of different things alike
            norms = W2.norm(dim=1)
            others = (norms.sum() - norms.max()) / (len(norms) - 1)
            W2 = W2 * torch.where(norms == norms.max(), others / norms, 1)[:, None]
        x = x + block.attn.out_proj((A @ v).transpose(0, 1).flatten(1))
        x = x + F.linear(block.mlp.gelu(block.mlp.c_fc(block.ln_2(x))), W2, block.mlp.c_proj.bias)

    q, k, v = heads(last, x)
    attentions.append(attention(q, q))  # ClearCLIP: a patch attends to patches like itself
    A = torch.stack(attentions).mean(0)  # AMF: and to the context of the whole image
    z = last.attn.out_proj((A @ v).transpose(0, 1).flatten(1))  # no residual path, no FFN
    features = F.normalize(visual.ln_post(z[1:]) @ visual.proj, dim=-1)  # (N, E)

    prompts = [tokenizer([t(word) for t in OPENAI_IMAGENET_TEMPLATES]) for word in words]
    each = F.normalize(torch.stack([model.encode_text(p) for p in prompts]), dim=-1)
    cosines = F.normalize(each.mean(1), dim=-1) @ features.T  # (words, N)
    maps = F.interpolate(cosines.unflatten(1, (h, w))[None], picture.size[::-1], mode="bilinear")
    return maps[0].argmax(0)


def heads(block: Any, x: Tensor) -> Tensor:
    """Queries, keys and values of a block's input: (3, H, T, d)."""
    qkv = F.linear(block.ln_1(x), block.attn.in_proj_weight, block.attn.in_proj_bias)
    return qkv.unflatten(1, (3, block.attn.num_heads, -1)).permute(1, 2, 0, 3)


def attention(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.transpose(1, 2) / a.shape[2] ** 0.5).softmax(2)  # (H, T, T), rows sum to 1
