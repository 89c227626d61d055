"""A photo or a scan of a page -> lines -> words -> characters -> text: `Reader(model).read(file)`."""

from hcrlib.page.annotate import annotated
from hcrlib.page.model import Box, Character, Line, Page, Word
from hcrlib.page.reader import Reader

__all__ = ["Box", "Character", "Line", "Page", "Reader", "Word", "annotated"]
