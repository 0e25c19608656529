"""The whole page in this process, with tools, as clients reach it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import backbones, main


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    args = main.parser().parse_args(["--backbone", "built-in", "--mcp", "--no-downloads"])
    host = backbones.HOST
    backbones.set_host(main.make_host(args))
    blocks = main.build()
    uploads = Path(os.environ["GRADIO_TEMP_DIR"])
    _, address, _ = main.serve(blocks, args, uploads)
    yield address.rstrip("/")
    blocks.close(verbose=False)
    backbones.set_host(host)
