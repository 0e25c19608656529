"""What of ``demo/web`` reaches a browser: its own modules, and those of other projects."""

import hashlib
import json
import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from demo.widgets import code
from tests import ROOT

LIBRARIES = code.WEB / "vendor"


@pytest.fixture
def web() -> TestClient:
    return TestClient(Starlette(routes=code.routes()))


def test_modules_and_style_are_kept_for_good_under_a_name_of_their_content(web: TestClient) -> None:
    at = f"/web/{code.digest()}"
    for name in ("main.js", "machine/machine.js", "vendor/preact.mjs", "style.css"):
        found = web.get(f"{at}/{name}")
        assert found.status_code == 200 and "immutable" in found.headers["cache-control"]
    assert web.get("/web/0000/main.js").status_code == 404
    assert web.get(f"{at}/../code.py").status_code == 404


def test_words_of_the_page_cannot_end_their_tag() -> None:
    assert "</script><script>alert" not in code.head({"x": "</script><script>alert(1)"})


@pytest.mark.parametrize("name", code.VENDOR)
def test_a_module_of_another_project_is_the_published_file_with_its_licence(name: str) -> None:
    entry = code.VENDOR[name]
    file = LIBRARIES / entry["file"]
    assert hashlib.sha256(file.read_bytes()).hexdigest() == entry["sha256"]
    assert "Copyright" in (LIBRARIES / entry["text"]).read_text("utf-8")
    wanted = json.loads((ROOT / "package.json").read_text("utf-8"))["devDependencies"]
    assert wanted[entry["package"]] == entry["version"], "types are of the same version"


def test_nothing_else_is_among_them() -> None:
    named = {entry[part] for entry in code.VENDOR.values() for part in ("file", "text")}
    assert {path.name for path in LIBRARIES.iterdir()} == named | {"vendor.json"}


def test_every_import_that_is_served_names_a_module_that_is_served(web: TestClient) -> None:
    at = f"/web/{code.digest()}/"
    for name in code.modules():
        text = web.get(f"{at}{name}").text
        for target in re.findall(r'^(?:import|export)[^"]*?from ?"([^"]+)"', text, re.MULTILINE):
            assert target.startswith("."), f"{name} imports {target}, which no browser finds"
            found = web.get(f"{at}{name}".rsplit("/", 1)[0] + "/" + target)
            assert found.status_code == 200, f"{name} imports {target}"


def test_only_the_names_of_other_projects_are_written_anew() -> None:
    text = 'import { h } from "preact";\nimport { a } from "./a.js";\nconst from = "preact", x = 1;'
    deep = code.as_served("deep/b.js", text)
    assert deep.startswith('import { h } from "../vendor/preact.mjs";\nimport { a } from "./a.js"')
    assert deep.endswith('const from = "preact", x = 1;')


def test_comments_stay_here_and_lines_keep_their_numbers() -> None:
    text = '// a\n/**\n * b\n * @param {x} c\n */\nconst d = "// e"; // f\n  // g\nh();\n'
    assert code.as_served("a.js", text) == '\n\n\n\n\nconst d = "// e"; // f\n\nh();\n'
    cast = "const a =\n  /** @type {B} */ (c);\nd();\n/** e */\nf();\n"
    assert code.as_served("a.js", cast) == cast.replace("/** e */", "")


LONGEST = {"module": 300, "function": 60}
"""Lines; biome.json bounds functions, too, but counts no templates."""
START, END = re.compile(r"(?:export )?const \w+ ="), re.compile(r"\S.*;$|[}\])].*$")


@pytest.mark.parametrize("name", [name for name in code.modules() if "vendor" not in name])
def test_a_module_and_its_functions_are_short(name: str) -> None:
    lines = (code.WEB / name).read_text("utf-8").splitlines()
    assert len(lines) <= LONGEST["module"]
    begun = None
    for number, line in enumerate(lines):
        if START.match(line):
            begun = number
        if begun is not None and END.match(line):
            assert number - begun < LONGEST["function"], f"{name}, line {begun + 1}"
            begun = None
