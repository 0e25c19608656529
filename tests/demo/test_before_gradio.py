"""What the guard relies on: what this version of Gradio does and refuses by itself."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gradio as gr
import httpx
import pytest

from demo.host import pending, serve
from demo.host.guard import DATA
from demo.host.judge import API, JOIN
from tests.visitor import wait_for


@contextmanager
def real(**options: Any) -> Iterator[httpx.Client]:
    """A page of Gradio with one event, behind the guard."""
    with gr.Blocks(analytics_enabled=False) as blocks:
        gr.Button().click(lambda: "an answer", None, gr.Textbox())
    blocks.queue(api_open=False)
    login = options.get("auth") is not None
    own = {"app_kwargs": serve.app_settings(blocks, {}, login=login), "quiet": True}
    _, address, _ = blocks.launch(prevent_thread_lock=True, ssr_mode=False, **own, **options)
    with httpx.Client(base_url=address, timeout=30, verify=False) as web:
        yield web
    blocks.close(verbose=False)


def test_gradio_keeps_an_answer_until_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with real() as web:

        def ask(session: str) -> None:
            body = {"fn_index": 0, "data": [], "session_hash": session}
            web.post(JOIN, json=body).raise_for_status()
            wait_for(lambda: web.get(f"{API}/queue/status").json()["queue_size"] == 0)

        ask("kept")
        monkeypatch.setattr(pending, "UNREAD_SECONDS", 0)
        ask("expired")
        monkeypatch.undo()
        ask("another")
        assert "an answer" in web.get(DATA, params={"session_hash": "kept"}).text
        with suppress(httpx.ReadTimeout):  # its stream is empty, and stays open
            expired = web.get(DATA, params={"session_hash": "expired"}, timeout=1).text
            assert "an answer" not in expired


def test_gradio_gives_a_login_as_a_cookie() -> None:
    with real(auth=("name", "password")) as web:
        event = {"session_hash": "one", "fn_index": 0, "event_id": "x"}

        def statuses() -> list[int]:
            upload = web.post(f"{API}/upload", files={"files": ("a.png", b"pixels")})
            small = [web.post(f"{API}/{name}", json=event) for name in ("cancel", "reset")]
            return [answer.status_code for answer in (upload, *small)]

        assert statuses() == [401] * 3
        for password, status in (("guessed", 401), ("password", 200)):
            web.post("/login", data={"username": "name", "password": password})
            assert statuses() == [status] * 3
