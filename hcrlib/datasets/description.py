"""The model of a dataset.yml; `custom` documents the file and reads the data."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from hcrlib.core.yaml_file import FieldError, Section, Text
from hcrlib.datasets.catalog import DATASETS
from hcrlib.datasets.orientation import WAYS
from hcrlib.runtime.image import FRAMES


def _check_name(name):
    if not re.fullmatch(r"[\w.-]+", name) or name in DATASETS.names():
        raise FieldError("'name' is not valid", expected="letters, digits, '-', '_', '.'; not a name of the catalog")
    return name


class Description(Section):
    """A custom dataset: where its images are, and how to read them."""

    name: Annotated[str, AfterValidator(_check_name)]
    format: Literal["folders", "csv", "idx", "npz"]
    train: Text | list[Text] = Field(None, description="folder, table, or [images file, labels file]; with `test`")
    val: Text | list[Text] = Field(None, description="as `train`, for validation; else a tenth of `train`")
    test: Text | list[Text] = Field(None, description="as `train`")
    images: Text | list[Text] = Field(None, description="all images, instead of `train` and `test`")
    test_fraction: float = Field(0.2, gt=0, lt=1, description="stratified share of `images` to test on")
    classes: list[Text] = Field(None, description="names, in label order")
    label: Text | int | None = Field(None, description="csv: the column of labels, by name or number; -1 is the last")
    ink: Literal["auto", "dark", "light"] = Field("auto", description="ink on its ground; auto: by each image's border")
    orientation: Literal[("auto", *WAYS)] = Field("auto", description="how images are stored; auto: decided by looking")
    allow_duplicates: bool = Field(False, description="whether images may be there twice")
    frame: Literal[FRAMES] = Field("mnist", description="whose recipe the 28x28 images of csv and idx follow")
    license: Text | None = None
    licence: Text | None = Field(None, description="as `license`")
    source: Text | None = None

    @model_validator(mode="after")
    def _check_parts(self):
        given = self.model_fields_set & {"train", "val", "test", "images"}
        if given not in ({"train", "test"}, {"train", "val", "test"}, {"images"}):
            raise FieldError("It is not clear which images are which", hint="Give train and test, or images")
        if None not in (self.license, self.licence):
            raise FieldError("'licence' repeats 'license'", hint="Give one of them", key="licence")
        for key in sorted(given):
            names = getattr(self, key)
            is_pair = isinstance(names, list) and len(names) == 2
            suits = is_pair if self.format == "idx" else isinstance(names, str) or (is_pair and self.format == "npz")
            if not suits:
                expected = "[images file, labels file]" if self.format == "idx" else "one path"
                raise FieldError(f"'{key}' does not suit the format {self.format}", expected=expected, key=key)
        return self

    def locations(self):
        """Return {"images": its value}, or {"train": ..., "val": ..., "test": ...} of those given."""
        return {key: value for key in ("images", "train", "val", "test") if (value := getattr(self, key)) is not None}
