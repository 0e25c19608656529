"""Methods of others: importing this package adds those of each of its files to METHODS.

``from gclip_core.relatives import METHODS`` is the table with all of them.
"""

from importlib import import_module
from pkgutil import iter_modules

from gclip_core.methods import METHODS

__all__ = ["METHODS"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
METHODS.hint = ""
