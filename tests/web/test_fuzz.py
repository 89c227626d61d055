"""Fuzz tests: requests generated from static/openapi.json, and damaged images. No 5xx, and always the documented shape.

HCR_FUZZ is the number of examples in each test: `make fuzz` tries 20,000 in all.
"""

import os

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance

from hcrlib.runtime.web.app import create_app
from hcrlib.runtime.web.corrections import Corrections

from .conftest import EIGHT, picture
from .standin import StandIn

NOT_DESCRIBED = [positive_data_acceptance]  # a schema cannot describe an image file
EXAMPLES = int(os.environ.get("HCR_FUZZ", "100"))
SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)
KINDS = "application/json", "multipart/form-data; boundary=a", "application/x-www-form-urlencoded", "text/plain"
PNG, JPEG, WEBP = (picture(EIGHT, kind) for kind in ("png", "jpeg", "webp"))


@pytest.fixture(scope="module")
def app(zoo, tmp_path_factory):
    return create_app(zoo, Corrections(tmp_path_factory.mktemp("kept") / "corrections.sqlite"), page_reader=StandIn())


@pytest.mark.parametrize(
    "operation", ["predict", "correct", "correctLine", "takeBack", "read", "search", "models", "health", "metrics"]
)
def test_documented_requests(app, operation):
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app)

    @SETTINGS
    @hypothesis.given(case=schema.find_operation_by_id(operation).as_strategy())
    def check(case):
        answer = case.call()
        assert answer.status_code < 500
        case.validate_response(answer, excluded_checks=NOT_DESCRIBED)

    check()


@st.composite
def damaged(draw):
    """Return an image file with bytes cut off, changed, or added."""
    data = bytearray(draw(st.sampled_from([PNG, JPEG, WEBP])))
    for _ in range(draw(st.integers(0, 8))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) + draw(st.binary(max_size=64))


@SETTINGS
@hypothesis.given(data=st.one_of(damaged(), st.binary(max_size=300)))
def test_damaged_images(app, data):
    for address in ("/api/predict", "/api/read"):
        answer = app.test_client().post(address, data=data, content_type="image/png")
        assert answer.status_code in ((200, 422) if data else (400, 422))
        assert answer.mimetype == ("application/json" if answer.status_code == 200 else "application/problem+json")


@SETTINGS
@hypothesis.given(data=st.binary(max_size=200), kind=st.sampled_from(KINDS))
def test_random_bodies(app, data, kind):
    for address in ("/api/predict", "/api/read"):
        answer = app.test_client().post(address, data=data, content_type=kind)
        assert 400 <= answer.status_code < 500
        assert answer.mimetype == "application/problem+json"
