"""``python app.py`` and a Space start here: the environment is set before torch is imported."""

import contextlib
import gc
import importlib
import os
import sys

ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin while they wait slow down a busy machine
    "GOMP_SPINCOUNT": "10000",
    "MKL_CBWR": "AUTO,STRICT",  # MKL sums in one order: the same request gives the same bits
    "MALLOC_ARENA_MAX": "2",  # otherwise each thread keeps its own pool of freed memory
}
if __name__ == "__main__" and not ENVIRONMENT.keys() <= os.environ.keys():
    os.environ.update(ENVIRONMENT | os.environ)  # C libraries read these only at startup
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])

gc.disable()  # imports create almost no garbage; demo.main enables it again
with contextlib.suppress(ImportError):  # on ZeroGPU it must be imported before torch
    importlib.import_module("spaces")

from demo.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
