"""``python -m gclip_core.evaluate``."""

import sys

from gclip_core.evaluate.cli import main

if __name__ == "__main__":
    sys.exit(main())
