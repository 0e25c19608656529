"""The requirements of the library and of its extras are those of requirements.txt."""

import re
from pathlib import Path

from setuptools import setup

text = Path(__file__).with_name("requirements.txt").read_text("utf-8")
library, _, evaluation, _, page = re.split(r"^# \[(\w+)\].*$", text, flags=re.MULTILINE)
setup(
    install_requires=library,
    extras_require={"evaluation": evaluation, "page": evaluation + page},
)
