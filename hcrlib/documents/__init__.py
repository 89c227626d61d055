"""A photo or a scan of a page -> lines -> words -> characters -> text: `Reader(model).read(file)`."""

from hcrlib.core.extras import explained

with explained():
    from hcrlib.documents.annotate import annotated
    from hcrlib.documents.containers import Box, Character, Line, Page, Word
    from hcrlib.documents.reader import Reader

__all__ = ["Box", "Character", "Line", "Page", "Reader", "Word", "annotated"]
