"""The page as a server of the Model Context Protocol, called with that protocol's own client."""

import asyncio
import base64
import json
import socket
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from demo.gate import API, process
from gclip_core import __version__, assets
from tests.demo.visitor import Visitor

mcp = pytest.importorskip("mcp", reason="the extra is not installed: pip install 'gradio[mcp]'")
from mcp.client.streamable_http import streamablehttp_client  # noqa: E402

DOG = Path(assets.path("photos", "astronaut.jpg")).read_bytes()
PHOTO = "data:image/jpeg;base64," + base64.b64encode(DOG).decode()


@pytest.fixture
def ask(url: str) -> Callable[..., Any]:
    """Call through the protocol's client: the method's name, and its arguments."""

    async def asked(method: str, *arguments: Any) -> Any:
        async with (
            streamablehttp_client(f"{url}{API}/mcp/") as (read, write, _),
            mcp.ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await getattr(session, method)(*arguments)

    return lambda *call: asyncio.run(asyncio.wait_for(asked(*call), 120))


def text(result: Any) -> str:
    """All texts of an answer."""
    return " ".join(part.text for part in result.content if part.type == "text")


def test_tools(ask: Callable[..., Any]) -> None:
    """The public endpoints are the tools; nothing private is."""
    tools = {tool.name: tool for tool in ask("list_tools").tools}
    assert set(tools) == {"segment", "suggest", "about"}
    assert tools["segment"].inputSchema["properties"]["image"]["type"] == "string"
    assert __version__ in text(ask("call_tool", "about", {}))


def test_photo_as_data(ask: Callable[..., Any]) -> None:
    """An image as base64 data is segmented; the answer contains the mask as an image."""
    result = ask("call_tool", "segment", {"image": PHOTO, "words": "person, sky"})
    assert not result.isError, text(result)
    assert "'name': 'person'" in text(result)
    (image,) = (part for part in result.content if part.type == "image")
    mask = np.asarray(Image.open(BytesIO(base64.b64decode(image.data))))
    assert mask.shape == np.asarray(Image.open(BytesIO(DOG))).shape[:2]
    assert set(np.unique(mask)) <= {0, 1, 255}


def test_photo_as_upload(ask: Callable[..., Any], url: str) -> None:
    path = Visitor(url).upload(DOG, "a.jpg").json()[0]
    assert "person" in text(ask("call_tool", "suggest", {"image": f"{url}{API}/file={path}"}))


def test_no_address_is_fetched(ask: Callable[..., Any]) -> None:
    """And no file of this machine is opened."""
    with socket.create_server(("127.0.0.1", 0)) as inner:
        inner.settimeout(0.2)
        address = f"http://127.0.0.1:{inner.getsockname()[1]}/a.png"
        for image in (address, f"{address}{API}/file=/etc/passwd", "/etc/passwd", "?"):
            result = ask("call_tool", "segment", {"image": image, "words": "cat"})
            assert result.isError
        with pytest.raises(TimeoutError):
            inner.accept()


def test_wrong_values(ask: Callable[..., Any]) -> None:
    """Each gets an error message."""
    result = ask("call_tool", "segment", {"image": PHOTO, "words": " , "})
    assert result.isError and "at least one word" in text(result)
    no_picture = "data:image/png;base64," + base64.b64encode(b"no").decode()
    result = ask("call_tool", "segment", {"image": no_picture, "words": "cat"})
    assert result.isError and "no readable image" in text(result)


def test_large_calls(url: str) -> None:
    """A call has at most 8 MB, and at most 300 lists and objects."""
    for arguments, status in (({"image": "x" * 2**23}, 413), ({"image": [{}] * 2000}, 400)):
        params = {"name": "segment", "arguments": arguments}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        answer = httpx.post(f"{url}{API}/mcp/", content=json.dumps(call), timeout=60)
        assert answer.status_code == status


def test_words_stay_out_of_the_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Not even values of a malformed call, which the protocol's own library would log."""
    process.keep_log_short()
    params = {"name": "segment", "arguments": ["zanzibar"]}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    accept = {"accept": "application/json, text/event-stream"}
    answer = httpx.post(f"{url}{API}/mcp/", json=call, headers=accept, timeout=60)
    assert "Invalid request parameters" in answer.text
    assert "zanzibar" not in caplog.text
