"""Map missing libraries to the extras of `pip install hcrlib` that provide them."""

import contextlib
from collections.abc import Iterator

from hcrlib.core.errors import ConfigError

EXTRAS = {  # extra -> the modules it provides that hcrlib imports; the first extra that provides a module is suggested
    "documents": ("cv2", "skimage", "pypdfium2", "reportlab", "wordfreq", "numba"),
    "train": ("tensorflow", "keras", "keras_tuner", "onnx", "tf2onnx", "ai_edge_litert", "cv2", "wordfreq"),
    "cluster": ("distributed", "dask", "bokeh", "rich", "papermill", "ipykernel", "nbconvert", "nbformat"),
    "lab": ("jupyterlab", "ipywidgets", "ipycanvas", "IPython"),
    "serve": ("flask", "werkzeug", "waitress", "prometheus_client"),
    "sql": ("duckdb",),
    "photos": ("rapidocr",),
}
BROUGHT_ALONG = {"jupyter_client": "cluster", "nbclient": "cluster"}  # dependencies of an extra's libraries


class MissingExtraError(ConfigError, ModuleNotFoundError):
    """A library of an extra is not installed."""


def extra_of(module: str | None) -> str | None:
    """Return the extra that provides a module such as "cv2" or "keras.ops", or None if no extra does."""
    top = (module or "").partition(".")[0]
    return next((extra for extra, modules in EXTRAS.items() if top in modules), BROUGHT_ALONG.get(top))


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn a ModuleNotFoundError for an extra's library into a MissingExtraError; also usable as a decorator."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = extra_of(error.name)
        if extra is None or isinstance(error, MissingExtraError):
            raise
        what = f"This needs '{error.name}', which is not installed"
        raise MissingExtraError(what, hint=f'Install it: pip install "hcrlib[{extra}]"') from error
