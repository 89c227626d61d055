"""The part of the API's description that tells of whole pages: of /api/read and /api/library."""

from . import pages as reading

TEXT = {"type": "string"}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
SIDE = {"type": "integer", "minimum": 1}
BOX = {
    "type": "array",
    "items": {"type": "integer"},
    "minItems": 4,
    "maxItems": 4,
    "description": "Left, top, right, bottom in pixels of the page; right and bottom are the first ones outside.",
}
ROW = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
MATRIX = {"type": "array", "items": ROW, "minItems": 3, "maxItems": 3}
RECOGNIZER = (
    "A name of `pages.recognizers` of GET /api/models: it reads whole words or lines, and the model tells which way up the "
    "page is. The model reads character by character where it is left out."
)
KEEP = "Whether to add it to the library, where there is one."


def paths(responses):
    """{address: operations}. responses: a function of status, description, schema and problems' statuses."""
    return {reading.ADDRESS: {"post": _read(responses)}, "/api/library": {"get": _search(responses)}}


def _read(responses):
    file = {"type": "string", "contentMediaType": "application/octet-stream", "description": "The file as it is."}
    form = {
        "type": "object",
        "description": "A part named page: the file.",
        "properties": {"page": file},
        "required": ["page"],
    }
    kinds = "image/jpeg", "image/png", "image/webp", "application/pdf", "application/octet-stream"
    pages, problems = {"$ref": "#/components/schemas/Pages"}, (400, 403, 404, 413, 415, 422, 503)
    found = responses("200", "What is written on the page, or on each page of a PDF", pages, *problems)
    for media_type, _ in list(reading.FORMATS.values())[1:]:
        found["200"]["content"][media_type.partition(";")[0]] = {"schema": TEXT}
    return {
        "operationId": "read",
        "summary": "Reads a page: a photo, a scan or a PDF",
        "description": "JPEG, PNG, WebP or PDF, at most %d MB and 50 million pixels. It takes some seconds a page. While one "
        "is read another one is refused with 503 and when to come again. Nothing is kept, unless `keep` asks for it. Where "
        "no pages are read, as on a board, the answer is 404." % (reading.MAX_BODY >> 20),
        "parameters": [
            _query("model", TEXT, "A name of GET /api/models; `pages.model` of the same where it is left out."),
            _query("recognizer", TEXT, RECOGNIZER),
            _query("format", {"enum": list(reading.FORMATS)}, "json where it is left out."),
            _query("keep", {"enum": ["0", "1", "true", "false"]}, KEEP),
            _query("name", TEXT, "What the document is called in the library; else its file's name."),
        ],
        "requestBody": {
            "required": True,
            "content": {**{kind: {"schema": file} for kind in kinds}, "multipart/form-data": {"schema": form}},
        },
        "responses": found,
    }


def _search(responses):
    words = {"type": "string", "minLength": 1, "maxLength": reading.MAX_QUERY}
    return {
        "operationId": "search",
        "summary": "Looks for words in the pages that were kept",
        "description": "The library is this computer's user's; 404 where the server has none, 503 where it cannot be used.",
        "parameters": [dict(_query("q", words, "What to look for."), required=True)],
        "responses": responses("200", "Where it was found", {"$ref": "#/components/schemas/Hits"}, 400, 403, 404, 503),
    }


def _query(name, schema, description):
    return {"name": name, "in": "query", "schema": schema, "description": description}


def schemas(an_object):
    """{name: schema}. an_object: a function of properties, and names that may be missing."""
    alternative = an_object({"text": TEXT, "confidence": SHARE})
    read = {"text": TEXT, "box": BOX, "confidence": SHARE}
    picture = "The page as it was read, upright and flat: boxes are drawn over it once they are multiplied by `scale`."
    page = {
        "number": SIDE,
        "width": SIDE,
        "height": SIDE,
        "notes": {"type": "array", "items": TEXT, "description": "What was found and done: sentences."},
        "seconds": {"type": "number", "minimum": 0},
        "text": TEXT,
        "to_source": dict(MATRIX, description="From points (x, y, 1) of the page to those of the file: a homography."),
        "lines": _several("Line"),
        "picture": dict(TEXT, pattern="^data:image/jpeg;base64,", description=picture),
        "scale": dict(SHARE, description="Of the picture: its pixels for one of the page."),
    }
    snippet = an_object({"text": TEXT, "hit": {"type": "boolean", "description": "Whether it is what was looked for."}})
    hit = {
        "document": TEXT,
        "page": SIDE,
        "snippet": {"type": "array", "items": snippet, "description": "Put together, its texts are the snippet."},
        "boxes": {"type": "array", "items": BOX, "description": "Of the words that were found."},
    }
    recognizer = {"type": ["string", "null"], "description": "What read whole words or lines; null for the model."}
    pages = {"pages": _several("Page"), "model": TEXT, "recognizer": recognizer, "kept": {"type": "boolean"}}
    alternatives = {"type": "array", "items": alternative, "description": "Most probable first."}
    characters = dict(_several("Character"), description="None where it was read as a whole.")
    return {
        "Pages": an_object(pages),
        "Page": an_object(page),
        "Line": an_object({"text": TEXT, "box": BOX, "column": {"type": "integer"}, "words": _several("Word")}),
        "Word": an_object(dict(read, characters=characters)),
        "Character": an_object(dict(read, alternatives=alternatives)),
        "Hits": an_object({"hits": _several("Hit")}),
        "Hit": an_object(hit),
    }


def _several(name):
    return {"type": "array", "items": {"$ref": "#/components/schemas/" + name}}
