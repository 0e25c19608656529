"""The download of a model that is not on the server: offered, refused, cancelled, and used."""

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import torch
from open_clip.model import CLIP
from playwright.sync_api import Locator, expect
from safetensors.torch import save

from tests.browser.conftest import FLOWER, Visit, after, drawn, legend, type_words
from tests.demo.visitor import Server, serving

ARCHITECTURE, REPOSITORY = "ViT-B-32-quickgelu", "timm/vit_base_patch32_clip_224.openai"
VISION = {"image_size": 224, "layers": 12, "width": 64, "head_width": 16, "patch_size": 32}
NARROW: dict[str, Any] = {
    "embed_dim": 32,
    "quick_gelu": True,
    "vision_cfg": VISION,
    "text_cfg": {"width": 256, "heads": 4, "layers": 1},
}
"""The architecture, but narrow, so that it is small; its 49,408 tokens still fill 25 MB."""
PAGE = """import sys, open_clip
open_clip.add_model_config(sys.argv.pop(1))
from demo.main import main
sys.exit(main())"""
HELD = 22_000_000
"""Bytes that the hub sends before it waits; the client counts pieces of 10 MiB."""


class Hub(ThreadingHTTPServer):
    """A hub of one file, which answers as huggingface.co does: the file's name leads to its size,
    digest and commit, and to its place on a server of files."""

    daemon_threads = True

    def __init__(self, file: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.file, self.go, self.is_down = file, Event(), True
        name = f"/{REPOSITORY}/resolve/main/open_clip_model.safetensors"
        linked = {"X-Linked-Etag": f'"{sha256(file).hexdigest()}"', "X-Linked-Size": len(file)}
        place = f"http://localhost:{self.server_port}/files"  # another host
        self.names = {name: {"X-Repo-Commit": 40 * "a", "Location": place} | linked}


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def reply(self, status: int, **headers: Any) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": 0} | headers).items():
            self.send_header(name, str(value))
        self.end_headers()

    def do_HEAD(self) -> None:  # noqa: N802 - the library's name
        if self.path == "/":
            self.reply(200)
        elif self.path in self.server.names:
            self.reply(302, **self.server.names[self.path])
        else:
            self.reply(404, **{"X-Error-Code": "EntryNotFound"})

    def do_GET(self) -> None:  # noqa: N802
        if self.server.is_down:
            self.reply(503)
            return
        self.reply(200, **{"Content-Length": len(self.server.file)})
        self.wfile.write(self.server.file[:HELD])
        assert self.server.go.wait(60)
        self.wfile.write(self.server.file[HELD:])

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    (tmp_path / f"{ARCHITECTURE}.json").write_text(json.dumps(NARROW))
    torch.manual_seed(0)
    weights = {name: value.half() for name, value in CLIP(**NARROW).state_dict().items()}
    with Hub(save(weights)) as hub:
        Thread(target=hub.serve_forever, daemon=True).start()
        yield hub
        hub.shutdown()


@pytest.fixture
def server(hub: Hub, tmp_path: Path) -> Iterator[Server]:
    home = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hub")}
    online = {"HF_HUB_OFFLINE": "0", "GCLIP_NO_DOWNLOADS": "0"}
    with serving("--quiet", program=("-c", PAGE, str(tmp_path)), **home, **online) as server:
        yield server


@pytest.fixture
def offer(visitor: Visit, server: Server) -> Locator:
    """What the page shows once the model is selected."""
    page = visitor(at=server.url, **FLOWER)
    page.locator("#settings > summary").click()
    page.get_by_label("Backbone").select_option("openai-vit-b-32")
    offer = page.locator("#offer")
    expect(offer).to_contain_text("OpenAI ViT-B/32 needs a download of 605 MB, licence MIT.")
    return offer


@pytest.mark.long
def test_download(offer: Locator, hub: Hub) -> None:
    """A model that is not here is offered; a download that fails or is cancelled says so and leaves
    the page as it was, its progress is shown, and at its end the model answers."""
    page = offer.page
    backbone, start = page.get_by_label("Backbone"), offer.get_by_role("button", name="Download")
    mask = drawn(page.locator("#canvas .mask"))
    expect(backbone).to_have_value("built-in")
    start.click()
    expect(offer).to_contain_text("could not be downloaded (HfHubHTTPError)")
    hub.is_down = False
    start.click()
    expect(offer).to_contain_text("Downloading OpenAI ViT-B/32: 21 of 605 MB.")
    after(page, lambda: type_words(page, "flower"))
    expect(legend(page)).to_have_text(["flower", "background"])
    offer.get_by_role("button", name="Cancel").click()
    expect(offer).to_contain_text("Cancelled. Nothing has changed.")
    after(page, lambda: type_words(page, FLOWER["words"]))
    assert drawn(page.locator("#canvas .mask")) == mask
    start.click()
    expect(offer).to_contain_text("21 of 605 MB.")
    expect(start).to_be_hidden()
    after(page, hub.go.set)
    expect(offer).to_be_hidden()
    expect(backbone).to_have_value("openai-vit-b-32")
    expect(page).to_have_url(re.compile("backbone=openai-vit-b-32"))
    assert drawn(page.locator("#canvas .mask")) != mask


@pytest.mark.long
def test_download_breaks_off(offer: Locator, hub: Hub, server: Server) -> None:
    """The page says so and offers it again."""
    hub.is_down = False
    offer.get_by_role("button", name="Download").click()
    expect(offer).to_contain_text("21 of 605 MB.")
    server.process.kill()
    expect(offer).to_contain_text("The connection was lost. Try again.")
    expect(offer.get_by_role("button", name="Download")).to_be_visible()
