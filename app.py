"""``python app.py`` and a Space start here: the environment is set before torch is imported."""

import contextlib
import importlib
import os
import sys

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin slow down a busy machine
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")  # the same request gives the same bits
with contextlib.suppress(ImportError):  # on ZeroGPU it must be imported before torch
    importlib.import_module("spaces")

from demo.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
