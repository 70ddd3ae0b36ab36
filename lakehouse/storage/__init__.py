"""Objects in a store: local folders, S3 and the other object stores, behind one small interface.

``open_storage`` gives a ``Storage`` for a folder or URL; ``probe`` refuses a store on which two writers
could both believe that they created the same object.
"""

from __future__ import annotations

from lakehouse.storage.objects import ObjectInfo, Storage
from lakehouse.storage.opening import open_storage
from lakehouse.storage.options import OPTION_NAMES, SECRET_OPTIONS
from lakehouse.storage.probing import probe

__all__ = ["OPTION_NAMES", "SECRET_OPTIONS", "ObjectInfo", "Storage", "open_storage", "probe"]
