"""The address of the page: it encodes everything that is shown, and restores it.

An uploaded photo, which a link should not contain, and very long words, which it cannot, stay in
the visitor's browser under a key that the address contains: see ``web/address.js``.
"""

import json
from dataclasses import dataclass
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict

from demo import backbones
from demo.files import reference, upload
from demo.gate.files import GONE
from demo.gate.numbers import MAX_LINK
from demo.scene import OPENING, Scene
from demo.settings import Settings
from evaluation import photos

OWN = "own"
"""The value of ``example`` in a link to an uploaded photo."""
TABS = ("segment", "how", "compare", "learn", "share")
ABSENT = "This link does not contain its photo. Upload it."


def link(scene: Scene) -> str:
    """The query string of what is shown, without an uploaded photo or very long words."""
    example = scene.photo.example
    named = {"example": example.name if example else OWN}
    named |= {"backbone": scene.settings.backbone}  # the default differs between hosts
    query = scene.settings.to_query(**named)
    if len(query) > MAX_LINK:
        query = scene.settings.with_values(words="").to_query(**named)
    return f"?{query}"


def to_browser(scene: Scene) -> str:
    """The link as JSON, with what it leaves out: the reference to an upload, and long words."""
    photo = "" if scene.photo.example else reference(scene.photo.path)
    query = link(scene)
    words = "" if "words=" in query else scene.settings.words
    return json.dumps({"link": query, "photo": photo, "words": words})


class Address(BaseModel):
    """What a browser sends to restore what it showed."""

    model_config = ConfigDict(frozen=True)

    query: str = ""
    photo: str = ""
    """The reference to an upload, which this browser keeps under the key in the query."""
    words: str = ""
    """Words that this browser keeps in the same way."""


@dataclass(frozen=True)
class Restored:
    """What an address restores. ``notes`` say what it could not restore."""

    photo: str | None
    lost: str
    """Why there is no photo; empty if there is one."""
    tab: str
    settings: Settings
    notes: tuple[str, ...]


def restore(address: Address) -> Restored:
    """The photo's path, the tab and every setting of an address."""
    query = dict(parse_qsl(address.query.removeprefix("?"), keep_blank_values=True))
    example, tab = query.pop("example", OPENING), query.pop("tab", "")
    shared, has_key = query.pop("photo", ""), bool(query.pop("kept", ""))
    notes, lost = list[str](), ""
    if example == OWN:
        photo = upload(shared or address.photo)
        if photo is None:
            lost = GONE if shared or address.photo else ABSENT
    else:
        shipped = photos.shipped_photos()
        if example not in shipped:
            notes.append(f"There is no example “{example[:20]}”. Showing {OPENING} instead.")
        photo = str(shipped.get(example, shipped[OPENING]).path)
        if has_key and not address.words:
            notes.append("This link does not contain its words: they were too long.")
    if address.words:
        query.setdefault("words", address.words)
    settings, left_out = Settings.from_query(query, backbones.HOST.backbone)
    notes += [left_out] if left_out else []
    if lost or tab not in TABS:
        tab = "segment"
    return Restored(photo, lost, tab, settings, tuple(notes))
