"""The pictures of the lesson, each drawn when a browser first fetches it."""

from functools import partial

import numpy as np
from PIL import Image, ImageDraw

from demo.answer import resolve
from demo.drawing import render
from demo.engine import Engine
from demo.host.blob_store import Blob, LazyBlob
from demo.request import Question
from demo.tabs.learn import numbers
from demo.tabs.learn.numbers import REQUEST
from demo.tabs.learn.pages import PAGES
from gclip_core import assets

SIDE = 480
LETTERS = 1.9
"""A picture is a third as wide on a phone: its words stay legible."""
BRIGHT = 5
"""Times uniform attention is full brightness."""
DRAWN = ("photo", "mask", "look", "matrix", "tokens")
"""Kinds of figures that are pictures."""


def figures(engine: Engine, question: Question) -> dict[tuple[str, str], LazyBlob]:
    """The pictures of all steps, by kind and state, each drawn when it is first fetched."""
    drawn = {}
    for page in PAGES:
        for figure in (*page.get("before", ()), *page.get("after", ())):
            kind, of = figure["kind"], figure.get("of", "")
            if kind in DRAWN:
                key = ("lesson", question.scene.clean.backbone.digest, kind, of)
                drawn[kind, of] = engine.blobs.lazy(key, partial(_draw, engine, kind, of))
    return drawn


def _draw(engine: Engine, kind: str, of: str) -> Blob:
    """A figure as a WebP."""
    if kind == "matrix":
        return Blob(assets.path("learn", f"attention-{of}.webp").read_bytes(), "image/webp")
    clean = resolve(engine, REQUEST)
    image = clean.scene.picture.image
    picture = render.fit(image, SIDE)
    if kind == "mask":
        faulty = numbers.with_fault(engine)
        mask = numbers.state_mask(engine, clean, faulty, of)
        picture = render.overlay(image, mask.labels, mask.names, max_side=SIDE, letters=LETTERS)
    if kind == "look":
        faulty = numbers.with_fault(engine)
        weights, _ = numbers.looks(engine, clean, faulty, of)
        light = np.sqrt(np.clip(weights * weights.size / BRIGHT, 0, 1))
        bright = Image.fromarray((255 * light).astype(np.uint8)).resize(picture.size)
        picture = Image.composite(picture, Image.new("RGB", picture.size), bright)
    if kind == "tokens":
        _outline_tokens(picture)
    return Blob(render.saved(picture, "WEBP", quality=84), "image/webp")


def _outline_tokens(picture: Image.Image) -> None:
    """Draw a frame around each global token of the other transformer."""
    tokens, draw = numbers.global_tokens(), ImageDraw.Draw(picture)
    rows, columns = tokens["grid"]
    height, width = picture.height / rows, picture.width / columns
    for token in tokens["tokens"]:
        row, column = divmod(token, columns)
        box = (column * width, row * height, (column + 1) * width, (row + 1) * height)
        draw.rectangle(box, outline="black", width=6)
        left, top, right, bottom = box
        draw.rectangle((left + 1, top + 1, right - 1, bottom - 1), outline="cyan", width=4)
