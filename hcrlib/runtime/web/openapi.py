"""The API, described in OpenAPI 3.1: what /api/openapi.json answers and /api/docs shows."""

from . import openapi_pages
from .problems import MEDIA_TYPE, TYPES

TEXT = {"type": "string"}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
BASE64 = {"type": "string", "description": "An image file in base64, with or without data:image/png;base64, before it."}
MODEL = {"type": "string", "description": "A name of GET /api/models; the first of them where it is left out."}
EXPLAIN = {"type": "boolean", "description": "Whether to tell which pixels mattered, of one image."}


def document(most_images, most_bytes):
    """A dict; the limits are those of the application."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Reading of handwritten characters",
            "version": "1",
            "description": "An image of one character is sent, its label comes back; or a page, and its text comes back. "
            "At most %d MB a request where nothing else is said. Errors are problem details (RFC 9457). Requests of other "
            "sites' pages are refused." % (most_bytes >> 20),
        },
        "paths": {
            "/api/predict": {"post": _predict(most_images)},
            "/api/models": {
                "get": _get("models", "The models that there are", "Models", "The default one comes first.")
            },
            "/api/corrections": {"post": _correct()},
            "/api/corrections/{id}": {"delete": _take_back()},
            **openapi_pages.paths(_responses),
            "/api/openapi.json": {"get": _plain("openapi", "This description", "application/json", {"type": "object"})},
            "/healthz": {"get": _get("health", "Whether the server answers", "Health")},
            "/metrics": {"get": _plain("metrics", "Counters for Prometheus", "text/plain", TEXT)},
        },
        "components": {"schemas": _schemas(most_images), "responses": {"Problem": _problem()}},
        "x-problems": [dict(name=name, status=status, title=title) for name, (status, title) in TYPES.items()],
    }


def _predict(most_images):
    several = {"type": "array", "items": BASE64, "minItems": 1, "maxItems": most_images}
    options = {"model": MODEL, "explain": EXPLAIN}
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    files = {"type": "array", "items": file, "minItems": 1, "maxItems": most_images}
    form = "Parts named image: files, or data URLs as text. Several are answered as a list."
    raw = {"schema": {"type": "string", "contentMediaType": "image/*", "description": "The file as it is."}}
    one_of = [
        {"type": "object", "required": ["image"], "properties": dict(image=BASE64, **options)},
        {"type": "object", "required": ["images"], "properties": dict(images=several, **options)},
    ]
    json_body = {"description": "{image: base64} or {images: [base64, ...]}, model, explain.", "anyOf": one_of}
    multipart = {
        "type": "object",
        "description": form,
        "properties": dict(image=files, model=MODEL),
        "required": ["image"],
    }
    url_form = {
        "type": "object",
        "description": "image: a data URL.",
        "properties": {"image": BASE64},
        "required": ["image"],
    }
    answers = {"anyOf": [{"$ref": "#/components/schemas/Answer"}, {"$ref": "#/components/schemas/Answers"}]}
    return {
        "operationId": "predict",
        "summary": "Reads a character, or up to %d" % most_images,
        "description": "Dark on light or light on dark, of any size up to 50 million pixels: JPEG, PNG, WebP. A blank image is "
        "a problem, not a character. Where one of several images cannot be read, none is, and `image` tells which.",
        "parameters": [
            {"name": "model", "in": "query", "schema": TEXT, "description": MODEL["description"]},
            {
                "name": "explain",
                "in": "query",
                "schema": {"enum": ["0", "1", "true", "false"]},
                "description": EXPLAIN["description"],
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                "image/png": raw,
                "image/jpeg": raw,
                "image/webp": raw,
                "application/octet-stream": raw,
                "text/plain": {"schema": dict(TEXT, description="A data URL, or base64 alone.")},
                "application/json": {"schema": json_body},
                "multipart/form-data": {"schema": multipart},
                "application/x-www-form-urlencoded": {"schema": url_form},
            },
        },
        "responses": _responses("200", "What is written, or a list of it", answers, 400, 403, 404, 413, 415, 422, 503),
    }


def _correct():
    body = {
        "type": "object",
        "required": ["image", "label", "consent"],
        "properties": {
            "image": BASE64,
            "label": {"type": "string", "minLength": 1, "description": "What it is: one of the model's classes."},
            "model": MODEL,
            "consent": {"const": True, "description": "The person agrees that image and label are stored."},
        },
    }
    number = {
        "type": "object",
        "required": ["id"],
        "properties": {"id": dict(TEXT, description="It takes the correction back.")},
    }
    return {
        "operationId": "correct",
        "summary": "Stores what an image really is",
        "description": "The pixels, the label and the model's own answer are stored; nothing of who sent it.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": _responses("201", "Its number", number, 400, 403, 404, 413, 415, 422, 503),
    }


def _take_back():
    responses = {"204": {"description": "It is deleted"}}
    responses.update({str(status): _refer() for status in (400, 403, 404, 503)})
    number = {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
        "description": "Of the correction",
    }
    return {
        "operationId": "takeBack",
        "summary": "Deletes a correction",
        "parameters": [number],
        "responses": responses,
    }


def _get(name, summary, schema, description=""):
    found = {"$ref": "#/components/schemas/" + schema}
    return dict(
        operationId=name,
        summary=summary,
        description=description,
        responses=_responses("200", summary, found, 400, 403),
    )


def _plain(name, summary, kind, schema):
    answers = {"200": {"description": summary, "content": {kind: {"schema": schema}}}}
    answers.update({str(status): _refer() for status in (400, 403)})
    return dict(operationId=name, summary=summary, responses=answers)


def _responses(status, description, schema, *problems):
    found = {status: {"description": description, "content": {"application/json": {"schema": schema}}}}
    found.update({str(problem): _refer() for problem in problems})
    return found


def _refer():
    return {"$ref": "#/components/responses/Problem"}


def _problem():
    return {
        "description": "A problem: see below",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _schemas(most_images):
    alternative = {
        "type": "object",
        "required": ["label", "probability"],
        "properties": {"label": TEXT, "probability": SHARE},
    }
    answer = {
        "label": dict(TEXT, description='The most probable class, or "?" where `unsure`.'),
        "probability": dict(SHARE, description="Of the most probable class."),
        "unsure": {"type": "boolean", "description": "Whether that is less than the model's `unsure_below`."},
        "alternatives": {
            "type": "array",
            "items": alternative,
            "minItems": 1,
            "maxItems": 5,
            "description": "Most probable first.",
        },
        "seen": dict(
            TEXT, pattern="^data:image/png;base64,", description="The 28 x 28 pixels that were judged, ink white."
        ),
        "model": TEXT,
        "importance": dict(
            TEXT,
            description="With `explain`: 784 signed bytes in base64, by rows; 127 is a probability of 1 that the pixel adds.",
        ),
    }
    known = {"type": ["string", "null"]}
    model = {
        "name": TEXT,
        "digest": dict(TEXT, description="Of its files: it changes when the model is replaced."),
        "classes": {"type": "array", "items": TEXT, "minItems": 1},
        "unsure_below": SHARE,
        "engine": TEXT,
        "classifier": TEXT,
        "trained_on": known,
        "accuracy": {"type": ["number", "null"], "minimum": 0, "maximum": 1, "description": "On the test images."},
        "n_test": {"type": ["integer", "null"]},
        "n_parameters": {"type": ["integer", "null"]},
    }
    problem = {
        "type": dict(TEXT, description="Where it is described."),
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "image": {"type": "integer", "minimum": 0, "description": "Which of several images, from 0."},
    }
    answers = {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Answer"},
        "minItems": 1,
        "maxItems": most_images,
    }
    models = {"type": "array", "items": {"$ref": "#/components/schemas/Model"}, "minItems": 1}
    recognizer = _object({"name": TEXT, "unit": {"enum": ["words", "lines"]}})
    whole = "What may read whole words or lines instead of a model."
    reading = _object(
        {
            "model": dict(TEXT, description="What reads where none is asked for."),
            "recognizers": {"type": "array", "items": recognizer, "description": whole},
            "library": {"type": "boolean"},
        }
    )
    shared = {
        "corrections": {"type": "boolean", "description": "Whether they are stored here."},
        "pages": dict(anyOf=[reading, {"type": "null"}], description="Null where no pages are read."),
    }
    return {
        "Answer": _object(answer, "importance"),
        "Answers": _object({"answers": answers}),
        "Model": _object(model),
        "Models": _object(dict(models=models, **shared)),
        "Health": _object({"status": {"const": "ok"}, "models": {"type": "integer", "minimum": 1}}),
        "Problem": _object(problem, "image"),
        **openapi_pages.schemas(_object),
    }


def _object(properties, *optional):
    return {
        "type": "object",
        "required": [name for name in properties if name not in optional],
        "properties": properties,
        "additionalProperties": False,
    }
