"""``python app.py`` and a Space start here: the environment is set before torch is imported."""

import contextlib
import gc
import importlib
import os
import sys

# Threads that wait for each other by spinning take a busy machine's time from each other: with two
# requests on two cores a small tower took twenty times as long. They sleep, but not for the few
# microseconds between two operations. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
# MKL then sums in one order whatever else the machine does: the same request, the same bits.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
# A large tensor in pages of 4 kB takes as long to be given as to be filled.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
# Nearly all that imports make stays: to look through it for garbage takes a fifth of the start.
gc.disable()
with contextlib.suppress(ImportError):  # on ZeroGPU it must be imported before torch
    importlib.import_module("spaces")

from demo.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
