"""The log-in: one name and password for all, and a cookie for who has given them."""

import asyncio
import hmac
import re
from pathlib import Path
from secrets import token_hex

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from gradio import Server

from demo import limits
from demo.errors import RefusedError
from demo.routes import API

FORM = Path(__file__).parent / "web" / "login.html"
FOR_ALL = re.compile(rf"/(health|login)|{API}/startup-events")
"""Open before the log-in; Gradio itself requests the last when it has started."""
COOKIE = "gclip"


def check_login(request: Request, path: str, key: str) -> None:
    """Raises RefusedError for who has not logged in, if there is a ``key``; the page leads to the
    log-in."""
    known = hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), key.encode())
    if not key or known or FOR_ALL.fullmatch(path):
        return
    if (request.method, path) == ("GET", "/"):
        raise RefusedError(303, f"login?{request.url.query}".rstrip("?"))  # keeps the link
    raise RefusedError(401, "Log in first.")


def add_login(app: Server, login: tuple[str, str] | None) -> str:
    """The routes of the log-in; returns the cookie of who has logged in, "" if none is asked."""
    secret, form_page = ":".join(login or ()).encode(), FORM.read_text("utf-8")
    key = token_hex() if login else ""

    @app.get("/login")
    def login_page() -> Response:
        return HTMLResponse(form_page) if login else RedirectResponse("./")

    @app.post("/login")
    async def log_in(request: Request) -> Response:
        """Takes a form, as Gradio's clients send it, and sets a cookie."""
        form = await request.form()
        given = f"{form.get('username')}:{form.get('password')}"
        if not hmac.compare_digest(given.encode(), secret):
            await asyncio.sleep(limits.LOGIN_SECONDS)
            return HTMLResponse(form_page.replace(" hidden", ""), 401)
        page = f"./?{request.url.query}".rstrip("?")  # the link that is opened
        is_page = "text/html" in request.headers.get("accept", "")
        response = RedirectResponse(page, 303) if is_page else JSONResponse({"success": True})
        is_secret = request.url.scheme == "https"
        response.set_cookie(
            COOKIE, key, httponly=True, secure=is_secret, samesite="lax", max_age=86_400
        )
        return response

    return key
