"""Single characters: the routes that recognize them and that store corrections."""

import base64
import contextlib
import sqlite3

import flask
import numpy as np

from ..occlusion import occlusion
from ..strokes import stroke_width
from . import images
from .problems import Problem, check_names, check_once, flag

OPTIONS = "model", "explain", "alphabet"  # of a prediction, in the query, a form or JSON
MAX_BATCH = 64  # images in one request
STORED_SIDE = 280  # pixels of a correction's longer side: ten for each of the glyph's
CONTENT_TYPES = "multipart/form-data, application/json, application/x-www-form-urlencoded, text/plain, image/*"


def blueprint(models, corrections, metrics):
    """Return the routes; the arguments are those of `create_app`."""
    routes = flask.Blueprint("characters", __name__)

    @routes.route("/api/predict", methods=["POST"])
    def predict():
        files, several, options = _parse_request()
        loaded = models.get(options.get("model"))
        explain = flag(options, "explain")
        if explain and several:
            raise Problem("bad-request", "`explain` works for a single image only.")
        answers = _predict(loaded, files, several, explain, parse_alphabet(loaded, options))
        metrics.count_images(loaded.name, len(answers))
        return flask.jsonify(dict(answers=answers) if several else answers[0])

    @routes.route("/api/corrections", methods=["POST"])
    def add_correction():
        check_kept(corrections)
        label, loaded, pixels = _parse_correction(models)
        reading = loaded.model.readings_of(_steps(loaded, [pixels]))[0]
        name, probability = reading.alternatives[0]
        with storage_errors("stored"):
            model = "%s %s" % (loaded.name, loaded.digest)
            return flask.jsonify(id=corrections.add(label, name, probability, model, images.png(pixels))), 201

    @routes.route("/api/corrections/<number>", methods=["DELETE"])
    def delete_correction(number):
        with storage_errors("deleted"):
            if corrections is None or not corrections.remove(number):
                raise Problem("not-found", "There is no correction with this ID.")
        return "", 204

    return routes


def check_kept(corrections):
    """Raise a Problem if the server stores no corrections."""
    if corrections is None:
        raise Problem("not-kept", "This server stores no corrections.")


@contextlib.contextmanager
def storage_errors(action):
    """Turn errors of the disk or the database into a Problem; only the log gets the details."""
    try:
        yield
    except (OSError, sqlite3.Error, ValueError) as error:
        flask.current_app.logger.error("a correction could not be %s: %s", action, error)
        raise Problem("not-kept", "The correction could not be %s." % action)


def _parse_request():
    """Return ([bytes of an image], whether to respond with a list, {option: value}) of a request to predict."""
    request, kind = flask.request, flask.request.mimetype
    files, texts, fields, several = [], [], {}, False
    if kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
        fields, texts = request.form, request.form.getlist("image")
        files = [part.read() for part in request.files.getlist("image") + request.files.getlist("images")]
        several = len(files) + len(texts) > 1
        check_names(fields, OPTIONS + ("image",))
        check_names(request.files, ("image", "images"), "part")
    elif kind == "application/json":
        fields = _json_object()
        check_names(fields, OPTIONS + ("image", "images"))
        several = "images" in fields
        if several and "image" in fields:
            raise Problem("bad-request", "Send `image` or `images`, not both.")
        texts = fields["images"] if several else [fields.get("image")]
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise Problem("bad-request", "`image` must be a base64 string, or `images` a list of them.")
    elif kind == "text/plain":
        texts = [text for text in [request.get_data(as_text=True)] if text]
    elif kind.startswith("image/") or kind in ("", "application/octet-stream"):
        files = [part for part in [request.get_data()] if part]
    else:
        raise Problem("wrong-type", "%s is not supported. Supported: %s." % (kind[:80], CONTENT_TYPES))
    for name in OPTIONS:
        check_once(name, request.args, fields)
    options = {key: source[key] for source in (request.args, fields) for key in OPTIONS if key in source}
    if not isinstance(options.get("model", ""), str):
        raise Problem("bad-request", "`model` must be the name of a model.")
    files = files + [images.from_data_url(text) for text in texts]
    if not files:
        detail = "The request holds no image. Send a file's bytes as Content-Type image/png, or as a part named image."
        raise Problem("bad-request", detail)
    if len(files) > MAX_BATCH:
        raise Problem("too-large", "The request holds %d images; the limit is %d." % (len(files), MAX_BATCH))
    return files, several, options


def _json_object():
    try:
        body = flask.request.get_json(silent=True)
    except RecursionError:
        body = None
    if not isinstance(body, dict):
        raise Problem("bad-request", "The body must be a JSON object.")
    return body


def parse_alphabet(loaded, options):
    """Return the names of the classes that the answer may be, or None for all. Problem if none of them is a class."""
    if "alphabet" not in options:
        return None
    alphabet, classes = options["alphabet"], loaded.model.classes
    if not isinstance(alphabet, (str, list)) or not all(isinstance(name, str) for name in alphabet):
        raise Problem("bad-request", "`alphabet` must be a string of characters, or in JSON also a list of classes.")
    if set(alphabet).isdisjoint(classes):
        known = " ".join(classes)
        raise Problem("bad-request", "`alphabet` names none of the classes of %s, which are: %s" % (loaded.name, known))
    return alphabet


def _predict(loaded, files, several, explain, alphabet):
    pixels = []
    for index, data in enumerate(files):
        try:
            pixels.append(images.pixels(data))
        except Problem as problem:
            raise Problem(problem.name, str(problem), image=index) if several else problem
    steps = _steps(loaded, pixels, several, alphabet)
    readings = loaded.model.readings_of(steps, alphabet=alphabet)
    answers = [_answer(loaded, reading, each) for reading, each in zip(readings, steps)]
    if explain:
        importance = np.rint(127 * occlusion(loaded.model, steps[0].glyph, alphabet)).astype(np.int8)
        answers[0]["importance"] = base64.b64encode(importance.tobytes()).decode("ascii")
        reduction = max(images.open_image(files[0]).size) / float(max(pixels[0].shape[:2]))
        answers[0]["steps"] = _described(steps[0], reduction)
    return answers


def _steps(loaded, pixels, several=False, alphabet=None):
    """Return a list of Steps to glyphs. Problem if an image is blank."""
    steps = []
    for index, image in enumerate(pixels):
        try:
            steps.append(loaded.model.steps(image, alphabet))
        except ValueError:
            raise Problem("blank", "The image contains no ink.", **(dict(image=index) if several else {}))
    return steps


def _answer(loaded, reading, steps):
    return {
        "label": reading.label,
        "probability": reading.probability,
        "unsure": reading.unsure,
        "odd": steps.is_odd,
        "others": steps.others,
        "alike": list(reading.alike),
        "shape_probability": min(1.0, reading.shape_probability),
        "alternatives": [dict(label=name, probability=probability) for name, probability in reading.alternatives],
        "seen": images.data_url(reading.seen),
        "model": loaded.name,
    }


def _described(steps, reduction):
    """Return the JSON object of Steps. reduction: pixels of the file's image by those in which they were found."""
    return {
        "picture": images.data_url(steps.picture),
        "ink": images.data_url(steps.ink),
        "box": [int(round(reduction * n)) for n in steps.box],
        "stroke": round(steps.stroke, 2),
        "glyph_stroke": round(stroke_width(steps.glyph / np.float32(255)), 2),
        "dark": bool(steps.dark),
        "parts": int(steps.parts),
    }


def consented(*known):
    """Return the JSON object of a request to store a correction, with the `known` names. Problem without consent."""
    if flask.request.mimetype != "application/json":
        raise Problem("wrong-type", "Send corrections as application/json.")
    body = _json_object()
    check_names(body, known + ("consent",))
    if body.get("consent") is not True:
        raise Problem("no-consent", "`consent` must be true.")
    return body


def _parse_correction(models):
    """Return (label, LoadedModel, uint8 pixels) of a request to store a correction."""
    body = consented("image", "label", "model")
    label, name, image = body.get("label"), body.get("model"), body.get("image")
    if not all(isinstance(text, str) for text in (label, name or "", image)):
        raise Problem("bad-request", "`label`, `image` and `model` must be strings.")
    loaded = models.get(name)
    if label not in loaded.model.classes:
        raise Problem("not-valid", "`label` is not one of the classes of %s." % loaded.name)
    return label, loaded, images.pixels(images.from_data_url(image), STORED_SIDE)
