"""Turn a training checkpoint into what ships in `assets/built-in/`.

    python -m training.export runs/one/last.pt [--out assets/built-in]

Writes the averaged weights in float16 with open_clip's names (the token table as `token_ids` and
`token_rows`), the configuration, and the words.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from gclip_core import scenes
from training import model
from training.words import Tokens, names_of


def words() -> dict[str, list[list[str]]]:
    """Every name of every thing and background, the first of each being its own."""
    return {
        "things": [list(names_of(word)) for word in scenes.things()],
        "backgrounds": [list(names_of(word)) for word in scenes.backgrounds()],
    }


def export(checkpoint: Path, out: Path) -> None:
    """Write model.json, model.safetensors and words.json."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["averaged"]
    kept = {name: value.half().contiguous() for name, value in state.items()}
    kept["token_rows"] = kept.pop("token_embedding.weight")
    kept["token_ids"] = torch.from_numpy(Tokens().ids).to(torch.int32)
    out.mkdir(parents=True, exist_ok=True)
    save_file(kept, out / "model.safetensors")
    model.save_config(out / "model.json")
    (out / "words.json").write_text(json.dumps(words(), indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Export a checkpoint as the built-in model.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, default=Path("assets/built-in"))
    arguments = parser.parse_args()
    export(arguments.checkpoint, arguments.out)


if __name__ == "__main__":
    main()
