"""Names that commands share with `hcrlib.documents`, which they import only to read pages."""

LINES_MODEL = "best-lines"  # of the zoo, reads joined writing
RAPIDOCR = "rapidocr"  # a third-party network, the package and the recognizer
