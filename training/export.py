"""Turn a training checkpoint into what ships in `assets/built-in/`.

    python -m training.export runs/one/last.pt [--out assets/built-in] [--query-gain 2]

Writes the averaged weights in float16 with open_clip's names (the token table as `token_ids` and
`token_rows`), the configuration, and the words.

The last block's queries are lengthened by the query gain and its keys shortened by it. Their
product, and so everything the network itself computes, stays what it was; but methods that compare
queries with queries (ClearCLIP, GCLIP, half of SCLIP) get a sharper attention, those that compare
keys with keys a blunter one. Training never settles how long queries are on their own, since it
only sees the product; the card says what each choice costs.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from gclip_core import scenes
from training import model
from training.words import Tokens, names_of

_BLOCKS = "visual.transformer.resblocks."


def words() -> dict[str, list[list[str]]]:
    """Every name of every thing and background, the first of each being its own."""
    return {
        "things": [list(names_of(word)) for word in scenes.things()],
        "backgrounds": [list(names_of(word)) for word in scenes.backgrounds()],
    }


def lengthen_queries(state: dict[str, Tensor], gain: float) -> dict[str, Tensor]:
    """The same network, the last block's queries `gain` times as long and its keys as much shorter.

    A whole power of two is exact in any floating-point format.
    """
    layers = 1 + max(int(k.split(".")[3]) for k in state if k.startswith(_BLOCKS))
    changed = dict(state)
    for kind in ("weight", "bias"):
        key = f"{_BLOCKS}{layers - 1}.attn.in_proj_{kind}"
        q, k, v = state[key].chunk(3)
        changed[key] = torch.cat([q * gain, k / gain, v])
    return changed


def export(checkpoint: Path, out: Path, query_gain: float = 2.0) -> None:
    """Write model.json, model.safetensors and words.json."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["averaged"]
    state = lengthen_queries(state, query_gain)
    kept = {name: value.half().contiguous() for name, value in state.items()}
    kept["token_rows"] = kept.pop("token_embedding.weight")
    kept["token_ids"] = torch.from_numpy(Tokens().ids).to(torch.int32)
    out.mkdir(parents=True, exist_ok=True)
    beside = out / "model.new"  # a page that is running reads the old file until the new is whole
    save_file(kept, beside)
    beside.replace(out / "model.safetensors")
    model.save_config(out / "model.json")
    (out / "words.json").write_text(json.dumps(words(), indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Export a checkpoint as the built-in model.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, default=Path("assets/built-in"))
    parser.add_argument("--query-gain", type=float, default=2.0)
    arguments = parser.parse_args()
    export(arguments.checkpoint, arguments.out, arguments.query_gain)


if __name__ == "__main__":
    main()
