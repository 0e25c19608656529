"""The page as files: written once, served by any server of files, and the same as with a server."""

import gzip
import json
import re
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from demo.answer import PIECES
from tests import ROOT
from tests.browser.conftest import (
    DESKTOP,
    OPTIONS,
    PHONE,
    TABS,
    drawn,
    picture,
    saved,
    settled,
    switch,
    turn_to,
)
from tests.browser.test_access import WCAG
from tests.demo.visitor import APP, Visitor

pytestmark = pytest.mark.long
LIVE = "https://example.org/gclip?from=class&of=1"
OPENING, LISTS = "teddy-part", ("dog, grass", "woman; person, dog, tree")


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, APP, "--backbone", "built-in", "--handout", str(folder), *arguments]


def handout(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    given = command(folder, *arguments)
    return subprocess.run(given, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos: a teacher's own, with two lists of words, and that of the lesson."""
    root = tmp_path_factory.mktemp("www")
    photo, words = root / "My dog.jpg", root / "words.txt"
    picture(240).save(photo)
    words.write_text("".join(f"My dog: {text}\n" for text in LISTS))
    done = handout(root / "class" / "gclip", str(photo), "--words", str(words), "--live", LIVE)
    assert done.returncode == 0, done.stderr
    return root / "class" / "gclip"


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Below a path, as a school's folder may be."""

    class Host(SimpleHTTPRequestHandler):
        """As some hosts, it answers for a folder without leading to its address with a slash."""

        def do_GET(self) -> None:
            if self.path.partition("?")[0] == "/class/gclip":
                self.path = "/class/gclip/"
            super().do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=folder.parent.parent))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/class/gclip"
    server.shutdown()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A visitor, to whom nothing outside the folder, no error and no missing file may happen."""
    faults, own = list[str](), (address.removesuffix("gclip"), "data:", "blob:")
    with browser.new_context(**OPTIONS) as context:
        page = context.new_page()
        page.on("console", lambda m: m.type == "error" and faults.append(m.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("response", lambda r: r.status >= 400 and faults.append(r.url))
        page.on(
            "request",
            lambda r: r.url.startswith(own) or faults.append(r.url),
        )
        yield page
    assert not faults


def contained(folder: Path, address: re.Match[str]) -> str:
    """The URL that contains a file, as a server answers it."""
    kind = {"gzip": "application"}.get(address[1], "image")
    data = b64encode((folder / address[0]).read_bytes()).decode()
    return f"data:{kind}/{address[1]};base64,{data}"


def test_equals_the_server(folder: Path, url: str) -> None:
    """Every piece of every file is what the server answers, to the bit."""
    visitor, checked = Visitor(url), 0
    names = {OPENING: OPENING}
    names["My-dog"] = visitor.uploaded((folder / "photos" / "My-dog.jpg").read_bytes())
    own = {"My-dog": LISTS, OPENING: ("teddy bear, person, floor, tree", "teddy bear")}
    files = (one for one in sorted((folder / "pieces").iterdir()) if "_" in one.stem)
    for file in files:
        name = next(n for n in PIECES if file.stem.startswith(n.replace(" ", "_")))
        used = [
            s
            for s in ("photo", "backbone", "words", "background", "block", "head")
            if s in PIECES[name].uses
        ]
        parts = file.stem.removeprefix(name.replace(" ", "_")).split("_")[1:]
        settings: dict[str, Any] = dict(zip(used, parts, strict=True))
        photo = settings.pop("photo", OPENING)
        settings["words"] = own[photo][int(settings.get("words", 0))]
        for setting in {"background", "block", "head"} & {*settings}:
            settings[setting] = int(settings[setting])
        if "background" in settings:
            settings["background"] = bool(settings["background"])
        text = gzip.decompress(file.read_bytes()).decode()
        written = json.loads(re.sub(r"pieces/\w+\.(\w+)", partial(contained, folder), text))
        every = written if "enlarged" in PIECES[name].uses else {"": written}
        for enlarged, value in every.items():
            asked = settings | {"enlarged": enlarged}
            assert visitor.pieces(names[photo], asked, [name])[name] == value, (file.stem, enlarged)
            checked += 1
    assert checked > 200


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_walk(page: Page, address: str, size: dict[str, int]) -> None:
    """Each photo, list, switch, tab, block, method and download works, and nothing is offered that
    needs a server."""
    page.set_viewport_size(size)
    page.goto(f"{address}/")
    settled(page)
    live = page.get_by_text("This copy shows prepared photos.").get_by_role("link")
    expect(live).to_have_attribute("href", LIVE)
    for absent in ("#photo", "#words", "#settings", "#program", ".outline", "#grid", ".heads"):
        expect(page.locator(absent).first).to_be_hidden()
    mask = page.locator("#canvas .mask")
    for words in LISTS:
        page.locator("#lists").get_by_role("button", name=words).click()
        settled(page)
        before = drawn(mask)
        rest = page.locator("#canvas").get_by_label("Leave the rest uncoloured")
        rest.click()
        settled(page)
        assert drawn(mask) != before
        rest.click()
        settled(page)
        assert drawn(mask) == before
        switch(page, "AMF").click()
        settled(page)
        switch(page, "AMF").click()
    page.locator("#canvas .pad").press("Enter")
    expect(page.locator("#canvas .scores")).to_contain_text("%")
    expect(page.locator("#canvas .question")).to_be_hidden()
    page.keyboard.press("Escape")
    switch(page, "CS").click(force=True)  # it is idle, and says why
    page.get_by_role("button", name="See CS on a damaged").click()
    settled(page)
    page.get_by_role("button", name="Back to the undamaged model").click()
    settled(page)
    for tab in TABS:
        turn_to(page, tab)
        found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
        assert not found.violations_count, f"{tab}: {found.generate_report()}"
    turn_to(page, "How it works")
    for block in page.locator("#diagram .blocks button").all():
        block.click()
        settled(page, "diagram")
    turn_to(page, "Compare")
    for method in page.locator("#masks button").all():
        method.click()
        settled(page)
        expect(page.locator("#large")).to_be_visible()
    turn_to(page, "Share")
    for button in page.locator("#share [data-file]:visible").all():
        assert Path(saved(page, button.inner_text()).path()).stat().st_size > 200
    turn_to(page, "Segment")
    assert Path(saved(page, "Cut out").path()).stat().st_size > 200
    assert Path(saved(page, "Download").path()).stat().st_size > 200


def test_lesson(page: Page, address: str) -> None:
    """Each step can be guessed and tried, with the server of files alone."""
    page.goto(f"{address}/?tab=learn")
    settled(page)
    for step in range(4):
        card = page.locator("#learn .card").nth(step)
        card.get_by_role("radio").first.check()
        expect(card.locator(".outcome")).to_contain_text("%")
        card.get_by_role("button", name="Try it on the photo").click()
        settled(page)
        page.get_by_role("button", name="back to the lesson").click()
        settled(page)


def test_links(page: Page, address: str) -> None:
    """A link with what was not prepared says so, and opens what is there."""
    page.goto(f"{address}/?example=own&words=zebra&marks=0.5,0.5,dog&method=clip&nearest=0")
    settled(page)
    expect(page.locator("#toast")).to_contain_text("example, words, marks, method, nearest")
    page.goto(f"{address}/index.html?example={OPENING}&words={LISTS[0]}")
    settled(page)
    expect(page.locator("#toast")).to_contain_text(LISTS[0])
    expect(page.locator("#canvas .entry bdi").first).to_have_text("teddy bear")


def test_without_a_slash(browser: Browser, address: str) -> None:
    """The page leads to the folder where its host does not; what Chromium had asked for before is
    not found."""
    with browser.new_context(**OPTIONS) as context:
        page = context.new_page()
        page.goto(f"{address}?example=My-dog")
        settled(page)
        assert page.url.startswith(f"{address}/?example=My-dog")


def test_heads(page: Page, address: str, folder: Path) -> None:
    """With ``--heads``, each head of a block can be chosen."""
    small = folder.with_name("heads")
    picture(64).save(photo := folder.parent.parent / "small.png")
    assert handout(small, str(photo), "--heads").returncode == 0
    page.goto(f"{address.removesuffix('gclip')}heads/?tab=how")
    settled(page, "diagram")
    attended = page.locator("#diagram .large canvas")
    mean = drawn(attended)
    page.locator("#diagram .heads").select_option("head 2")
    settled(page, "diagram")
    assert drawn(attended) != mean
    expect(page.locator("#inputs")).to_contain_text("python app.py")


def test_same_bytes_and_refusals(folder: Path, tmp_path: Path) -> None:
    """Again, it is the same to the byte, also after a run that was stopped; a folder of others
    stays as it is, and words for no photo are told."""
    photo, words = folder.parent.parent / "My dog.jpg", folder.parent.parent / "words.txt"
    before = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    stopped = subprocess.Popen(command(folder), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert stopped.stderr
    while "pieces" not in stopped.stderr.readline(200):
        assert stopped.poll() is None
    stopped.send_signal(signal.SIGTERM)
    stopped.stderr.read()
    assert stopped.wait(60) == 130
    assert not [*folder.parent.glob(".handout-*")]
    assert handout(folder, str(photo), "--words", str(words), "--live", LIVE).returncode == 0
    after = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert [name for name in before if before[name] != after.get(name)] == []
    assert before.keys() == after.keys()
    (mine := tmp_path / "mine").mkdir()
    (mine / "thesis.txt").write_text("mine")
    (tmp_path / "cat.txt").write_text("cat: fur\n")
    for into, given, told in (
        (mine, (), "not empty"),
        (tmp_path / "new", (str(tmp_path / "none.jpg"),), "none.jpg"),
        (tmp_path / "new", (str(mine / "thesis.txt"),), "thesis.txt"),
        (tmp_path / "new", (str(photo), "--words", str(tmp_path / "cat.txt")), "line 1 is “cat"),
        (tmp_path / "new", (str(photo), str(photo)), "another photo “My-dog”"),
    ):
        done = handout(into, *given)
        assert done.returncode == 2
        assert told in done.stderr.splitlines()[-1]
    assert [one.name for one in mine.iterdir()] == ["thesis.txt"]
    assert {one.name for one in tmp_path.iterdir()} == {"mine", "cat.txt"}
