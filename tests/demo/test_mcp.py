"""The page as a server of the Model Context Protocol, asked by that protocol's own client."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from demo import main
from demo.host.judge import API
from demo.host.mcp import Pictures
from demo.host.uploads import Uploads
from gclip_core import assets
from gclip_core.version import __version__
from tests.visitor import Server, Visitor, serving

mcp = pytest.importorskip("mcp", reason="the extra is not installed: pip install 'gradio[mcp]'")
from mcp.client.streamable_http import streamablehttp_client  # noqa: E402

DOG = Path(assets.path("photos", "astronaut.jpg")).read_bytes()
PHOTO = "data:image/jpeg;base64," + base64.b64encode(DOG).decode()


@pytest.fixture(scope="module")
def page() -> Iterator[Server]:
    with serving("--backbone", "built-in", "--no-downloads", "--mcp") as server:
        yield server


@pytest.fixture
def ask(page: Server) -> Callable[..., Any]:
    """Asks the page through the protocol's client: the method's name, and its arguments."""

    async def asked(method: str, *arguments: Any) -> Any:
        async with (
            streamablehttp_client(f"{page.url}{API}/mcp/") as (read, write, _),
            mcp.ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await getattr(session, method)(*arguments)

    return lambda *call: asyncio.run(asyncio.wait_for(asked(*call), 120))


def text(result: Any) -> str:
    """All texts of an answer."""
    return " ".join(part.text for part in result.content if part.type == "text")


def _leaf(error: BaseException) -> BaseException:
    """The one error within groups of errors."""
    return _leaf(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def test_the_tools_are_the_public_endpoints(ask: Callable[..., Any]) -> None:
    tools = {tool.name: tool for tool in ask("list_tools").tools}
    assert set(tools) == {"segment", "suggest", "about"}
    assert tools["segment"].inputSchema["properties"]["image"]["type"] == "string"
    assert tools["segment"].inputSchema["required"] == ["image", "words"]
    assert __version__ in text(ask("call_tool", "about", {}))


def test_a_photo_as_base64_data_is_segmented(ask: Callable[..., Any], page: Server) -> None:
    """With or without what a browser writes before the data, to the same mask."""
    masks = []
    for photo in (PHOTO, PHOTO.partition(",")[2]):
        result = ask("call_tool", "segment", {"image": photo, "words": "person, sky"})
        assert not result.isError, text(result)
        assert "'name': 'person'" in text(result)
        (image,) = (part for part in result.content if part.type == "image")
        masks.append(np.asarray(Image.open(BytesIO(base64.b64decode(image.data)))))
    assert (masks[0] == masks[1]).all()
    assert masks[0].shape == np.asarray(Image.open(BytesIO(DOG))).shape[:2]
    assert set(np.unique(masks[0])) <= {0, 1, 255}
    assert "Traceback" not in page.output()


def test_words_are_suggested_for_an_upload(ask: Callable[..., Any], page: Server) -> None:
    path = Visitor(page.url).upload(DOG, "a.jpg").json()[0]
    for image in (path, f"{page.url}{API}/file={path}"):
        assert "person" in text(ask("call_tool", "suggest", {"image": image}))


@pytest.mark.parametrize(
    "image", ["http://pictures.example/a.png", "https://x/a.png", "/etc/passwd", "?"]
)
def test_no_address_is_fetched_and_no_file_opened(image: str, ask: Callable[..., Any]) -> None:
    with pytest.raises(ExceptionGroup) as refused:
        ask("call_tool", "segment", {"image": image, "words": "cat"})
    error = _leaf(refused.value)
    assert isinstance(error, mcp.McpError)
    assert "other addresses are not fetched" in str(error)


def test_wrong_values_are_refused_in_words(ask: Callable[..., Any], page: Server) -> None:
    result = ask("call_tool", "segment", {"image": PHOTO, "words": " , "})
    assert result.isError
    assert "At least one word was expected" in text(result)
    result = ask(
        "call_tool", "segment", {"image": base64.b64encode(b"no").decode(), "words": "cat"}
    )
    assert "An image was expected" in text(result)


def test_a_body_over_8_megabytes_is_refused(page: Server) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"x": "x" * 2**23}}
    answer = httpx.post(f"{page.url}{API}/mcp/", content=json.dumps(call), timeout=60)
    assert "at most 8192 kB" in answer.json()["error"]["message"]


def test_beside_its_picture_a_call_is_as_small_and_flat_as_others() -> None:
    """Gradio would keep all of it as long as the call waits."""

    async def unreached(*_: Any) -> None:
        raise AssertionError("it was let through")

    web = httpx.AsyncClient(
        transport=httpx.ASGITransport(Pictures(unreached, Uploads())), base_url="http://page"
    )
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    for rest, said in (("x" * 2**17, "At most 64 kB"), (deep, "16 levels")):
        arguments = {"image": PHOTO, "words": rest}
        call = {"id": 1, "method": "tools/call", "params": {"arguments": arguments}}
        answer = asyncio.run(web.post(f"{API}/mcp/", json=call))
        assert said in answer.json()["error"]["message"]


def test_only_the_one_route_is_open(page: Server) -> None:
    for method, path in (("GET", "sse"), ("POST", "messages/"), ("POST", "http")):
        assert httpx.request(method, f"{page.url}{API}/mcp/{path}", timeout=60).status_code == 404
    events = {"accept": "text/event-stream"}
    assert httpx.get(f"{page.url}{API}/mcp/", headers=events, timeout=60).status_code == 405
    assert httpx.get(f"{page.url}{API}/mcp/", timeout=60).status_code == 200


def test_it_does_not_go_with_a_login(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--mcp", "--auth", "a:b"]) == 2
    assert "leave --auth out" in capsys.readouterr().err
