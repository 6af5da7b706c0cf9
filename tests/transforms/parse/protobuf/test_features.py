from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FeatureSet

from transforms.parse.protobuf.features import take_option, take_options
from transforms.parse.protobuf.tokens import Tokens
from transforms.parse.registry.schema import Unusable


@pytest.mark.parametrize(
    ("text", "features"),
    [
        ("features.enum_type = OPEN", FeatureSet(enum_type="OPEN")),
        (
            "features = { enum_type: CLOSED; json_format: ALLOW }",
            FeatureSet(enum_type="CLOSED", json_format="ALLOW"),
        ),
        ("features.(pb.go).api_level = API_OPEN", FeatureSet()),
        ("(features).enum_type = OPEN", FeatureSet()),
        ("(.a.b).c.(d) = { x: '}' y: [ { z: 1 } ] }", FeatureSet()),
        ("default = -inf", FeatureSet()),
    ],
)
def test_only_features_are_taken(text: str, features: FeatureSet) -> None:
    taken = FeatureSet()
    tokens = Tokens(f"{text};")
    take_option(tokens, taken)
    assert (taken, tokens.next) == (features, ";")


def test_options_in_brackets() -> None:
    taken = FeatureSet()
    tokens = Tokens("[a = 1, features.enum_type = OPEN, (b) = { c: [1, 2] }, d = ']'] end")
    take_options(tokens, taken)
    take_options(tokens, taken)
    assert (taken, tokens.next) == (FeatureSet(enum_type="OPEN"), "end")


@pytest.mark.parametrize(
    "text",
    [
        "features.no_such = ON",
        "features.enum_type = NO_SUCH",
        "features = { { }",
        "a = ",
        "= 1",
        "features = {" + "enum_type: OPEN " * 100 + "}",
    ],
)
def test_what_is_no_option(text: str) -> None:
    with pytest.raises(Unusable):
        take_option(Tokens(f"{text};"), FeatureSet())
