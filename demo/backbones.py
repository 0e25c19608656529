"""The backbones: which are on this machine, loading each once, and fetching the others."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Semaphore, Thread
from typing import Any

from PIL import Image
from tqdm import tqdm

from demo import limits
from gclip_core import BACKBONES, BackboneError
from gclip_core.backbones import load
from gclip_core.backbones.backbone import Backbone
from gclip_core.backbones.load import Dtype, load_backbone
from gclip_core.cache import BoundedCache
from gclip_core.encoder import Encoded
from gclip_core.segmenter import Segmenter


@dataclass(frozen=True)
class Host:
    """What the command line set. ``encode`` runs one image through a tower, perhaps on ZeroGPU."""

    backbone: str = "built-in"
    weights: Path | None = None
    device: str = "cpu"
    dtype: Dtype = "float32"
    downloads: bool = True
    encode: Callable[[Segmenter, Image.Image], Encoded] = Segmenter.encode


HOST = Host()
"""``main`` replaces it before the page is built."""
DAMAGED = "built-in-damaged"
"""The built-in model with an outlier channel, which CS repairs."""
_loaded: BoundedCache[Backbone] = BoundedCache(limits.MAX_BACKBONES)
_downloads = Semaphore(limits.MAX_DOWNLOADS)


def undamaged(name: str) -> str:
    """The backbone of which this one is a damaged copy, or the same."""
    defect = BACKBONES[name].defect
    return defect.healthy if defect else name


def weights_of(name: str) -> Path | None:
    """The host's own weights, if they are those of this backbone or of its undamaged original."""
    return HOST.weights if undamaged(name) == undamaged(HOST.backbone) else None


def is_here(name: str) -> bool:
    """Whether a backbone can be used without a download."""
    return name == HOST.backbone or bool(load.on_disk(BACKBONES[name]))


def get(name: str) -> Backbone:
    """The backbone of that name, loaded once. Only the host's own may be downloaded."""
    entry = BACKBONES[name]
    if not is_here(name):
        raise BackboneError(
            f"{entry.title} is not on this machine. Download it, or choose another."
        )

    def make() -> Backbone:
        if entry.defect:
            return load.load_damaged(name, entry.defect, get(entry.defect.healthy))
        return load_backbone(name, weights_of(name), HOST.device, HOST.dtype)

    return _loaded.get_or_make(name, make)


def offer(name: str) -> dict[str, Any] | None:
    """What a visitor should know before downloading a backbone; None if it is here."""
    if is_here(name):
        return None
    entry = BACKBONES[name]
    text = f"{entry.title} needs a download, but downloads are off. Choose another backbone."
    if HOST.downloads:
        text = (
            f"{entry.title} needs a download of {entry.download} MB, licence {entry.licence}. "
            "Until then, the page stays as it is."
        )
    return {"name": name, "text": text, "canDownload": HOST.downloads}


def fetch(name: str) -> Iterator[str]:
    """Downloads a backbone's weights and yields the progress. Closing the generator cancels it."""
    entry, closed, done = BACKBONES[name], Event(), 0
    if not HOST.downloads:
        raise BackboneError("On this server, downloads are off.")
    if not _downloads.acquire(blocking=False):
        raise BackboneError("Other downloads are running. Try again when they have ended.")

    class Bar(tqdm):
        """Counts bytes and draws nothing."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options | {"disable": True})

        def update(self, n: float | None = 1) -> None:
            nonlocal done
            if closed.is_set():
                raise BackboneError(f"The download of {entry.title} was cancelled.")
            self.n += n or 0
            done = int(self.n)

    job: Future[Path] = Future()

    def download() -> None:
        try:
            job.set_result(load.fetch(entry, Bar))
        except Exception as error:  # noqa: BLE001 - the generator raises it
            job.set_exception(error)
        finally:
            _downloads.release()

    # Nobody waits for this thread: Gradio closes the generator on its event loop, and the page may
    # stop at any time.
    Thread(target=download, daemon=True).start()
    try:
        while wait([job], timeout=0.5).not_done:
            yield f"Downloading {entry.title}: {done / 1e6:.0f} of {entry.download} MB."
        job.result()
    finally:
        closed.set()
