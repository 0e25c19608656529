"""``python app.py`` and a Space start here: the environment is set before torch is imported."""

import contextlib
import gc
import importlib
import os
import sys

# Threads that spin while they wait use up a busy machine's time: with two requests on two cores a
# small tower was twenty times slower. They sleep instead, except for the few microseconds between
# two operations. Torch reads these variables when it is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
# MKL then always sums in one order: the same request gives the same bits.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
# Allocating a large tensor in pages of 4 kB is as slow as filling it.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
# Nearly nothing that imports make is garbage, and collecting it is a fifth of the start.
gc.disable()
with contextlib.suppress(ImportError):  # on ZeroGPU it must be imported before torch
    importlib.import_module("spaces")

from demo.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
