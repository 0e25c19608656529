"""Turn a training checkpoint into what ships in `assets/built-in/`.

    python -m training.pack runs/one/last.pt [more.pt ...] [--out assets/built-in]

Writes the averaged weights (of several checkpoints, their mean) in float16 with open_clip's names,
the token table as `token_ids` and `token_rows`; the configuration; and the words.

What a network computes depends on its queries and keys through their products alone: any change of
a head's queries that its keys undo leaves every output as it is. Training settles the products and
nothing else, but methods that compare queries with queries (ClearCLIP, GCLIP, half of SCLIP) or
keys with keys see the rest. So the last block's queries are brought to a normal form here: white,
each direction of a head as long as every other over the patches of seen scenes, times a gain. No
label takes part. The card says what this does to each method.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from safetensors.torch import save_file
from torch import Tensor, nn

from gclip_core import scenes
from training import model
from training.prompts import Tokens, names_of

_FIRST_SEED = 7_000_000  # neither training, its validation nor measuring uses these
# A direction that queries hardly use is not blown up without end: its variance counts as this share
# of the mean at least.
_LEAST = 0.05


def words() -> dict[str, list[list[str]]]:
    """Every name of every thing and background, the first of each being its own."""
    return {
        "things": [list(names_of(word)) for word in scenes.things()],
        "backgrounds": [list(names_of(word)) for word in scenes.backgrounds()],
    }


def projections(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """A block's stacked query, key and value projections: weight (3D, D), bias (3D,)."""
    return layer.attn.in_proj_weight, layer.attn.in_proj_bias


@torch.no_grad()
def patch_queries(net: CLIP, count: int) -> Tensor:
    """The last block's queries of the patches of `count` seen scenes: (n, heads, D / heads)."""
    side = model.CONFIG["vision_cfg"]["image_size"]
    layer, caught = net.visual.transformer.resblocks[-1], []
    hook = layer.ln_1.register_forward_hook(lambda _, __, out: caught.append(out[:, 1:]))
    for i in range(count):
        scene = scenes.compose(_FIRST_SEED + i, (side, side), "seen")
        net.encode_image(model.normalise(torch.from_numpy(np.array(scene.image))[None]))
    hook.remove()
    weight, bias = (part.chunk(3)[0] for part in projections(layer))
    queries = F.linear(torch.cat(caught).flatten(0, 1), weight, bias)
    return queries.unflatten(1, (layer.attn.num_heads, -1))


def whitening(queries: Tensor, gain: float) -> Tensor:
    """A matrix a head, (heads, d, d), that brings queries (n, heads, d) to second moment gain²."""
    moment = torch.einsum("nhi,nhj->hij", queries, queries).double() / len(queries)
    values, vectors = torch.linalg.eigh(moment)
    values = values.clamp_min(_LEAST * values.mean(1, keepdim=True))
    return (gain * (vectors * values.rsqrt()[:, None]) @ vectors.mT).float()


@torch.no_grad()
def change_queries(layer: nn.Module, change: Tensor) -> None:
    """Multiply a block's queries by one matrix a head, (heads, d, d), and let its keys undo it."""
    undo = torch.linalg.inv(change.double()).mT.float()
    for stacked in projections(layer):
        q, k, _ = stacked.chunk(3)
        for part, by in ((q, change), (k, undo)):
            heads = part.view(len(by), by.shape[1], -1)
            heads.copy_(by @ heads)


def mean(checkpoints: Sequence[Path]) -> dict[str, Tensor]:
    """The mean of the averaged weights of checkpoints of one run."""
    held = [torch.load(p, map_location="cpu", weights_only=True)["averaged"] for p in checkpoints]
    return {name: torch.stack([state[name] for state in held]).mean(0) for name in held[0]}


def pack(checkpoints: Sequence[Path], out: Path, query_gain: float = 1.5, seen: int = 64) -> None:
    """Write model.json, model.safetensors and words.json.

    query_gain: 0 leaves the last block's queries as trained. seen: scenes that make them white.
    """
    state = mean(checkpoints)
    tokens = Tokens().ids
    net = model.build(len(tokens)).eval()
    net.load_state_dict(state)
    if query_gain:
        last = net.visual.transformer.resblocks[-1]
        change_queries(last, whitening(patch_queries(net, seen), query_gain))
    kept = {name: value.half().contiguous() for name, value in net.state_dict().items()}
    kept["token_rows"] = kept.pop("token_embedding.weight")
    kept["token_ids"] = torch.from_numpy(tokens).to(torch.int32)
    out.mkdir(parents=True, exist_ok=True)
    beside = out / "model.new"  # a page that is running reads the old file until the new is whole
    save_file(kept, beside)
    beside.replace(out / "model.safetensors")
    (out / "model.json").write_text(json.dumps(model.CONFIG, indent=1) + "\n")
    (out / "words.json").write_text(json.dumps(words(), indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Pack a checkpoint as the built-in model.")
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path("assets/built-in"))
    parser.add_argument("--query-gain", type=float, default=1.5, help="0: as training left them")
    arguments = parser.parse_args()
    pack(arguments.checkpoints, arguments.out, arguments.query_gain)


if __name__ == "__main__":
    main()
