"""What the page's server answers beside Gradio: the document's head, and files by their address."""

import tomllib
from pathlib import Path

from starlette.routing import Route

from demo import wording
from demo.engine import Engine
from demo.host import blob_store
from demo.settings import FIELDS, key_of
from demo.tabs import LANES
from demo.widgets import EVENTS, code
from evaluation.photos import shipped_photos

HERE = Path(__file__).parent
GLOSSARY = tomllib.loads((HERE / "glossary.toml").read_text("utf-8"))
BROWSER = tomllib.loads((HERE / "browser.toml").read_text("utf-8"))
"""What the browser alone shows."""
BUILT = (
    "#title h1",
    "#share button",
    "#photo .target",
    "#examples",
    "#words textarea",
    "#chips .gw",
    "#background input",
)
"""Once these are there, the page is shown."""
META = """<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="Open-vocabulary segmentation with CLIP, without training">
"""


def head() -> str:
    """What goes into the document's head: tags, the page's own style and script."""
    return META + code.head(
        {
            **BROWSER,
            "old": wording.OLD,
            "terms": GLOSSARY,
            "examples": [[photo.name, photo.title] for photo in shipped_photos().values()],
            "keys": [key_of(name) for name in FIELDS],
            "lanes": [{"tab": entry.name, "heavy": heavy} for entry, heavy in LANES],
            "built": BUILT,
            "events": EVENTS,
        }
    )


def routes(engine: Engine) -> list[Route]:
    """What the page's server answers beside Gradio: its code, pictures and matrices by name."""
    return [blob_store.route(engine.blobs), *code.routes()]
