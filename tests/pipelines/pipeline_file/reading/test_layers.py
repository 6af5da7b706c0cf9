"""Environment and settings are laid over a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.pipeline_file.reading.layers import environment_file, merged
from transforms.errors import ConfigError
from transforms.secrets import redact

BASE = "max-attempts: 3\nrunner_options: {parallelism: 2, a: 1}\nsource: [a, b]\n"
PROD = "max_attempts: 5\nrunner_options: {parallelism: 8}\nsource: [c]\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text(BASE)
    (tmp_path / "p.prod.yaml").write_text(PROD)
    return "p.yaml"


def test_the_environment_replaces_values_and_merges_mappings(file: str) -> None:
    whole = merged(file, "prod", [])
    assert whole.plain == {
        "max_attempts": 5,
        "runner_options": {"parallelism": 8, "a": 1},
        "source": ["c"],
    }
    assert whole.keys["max_attempts"] == "p.prod.yaml:1:1"
    assert whole.value["runner_options"].keys["a"] == "p.yaml:2:34"


def test_settings_are_yaml_and_win(file: str) -> None:
    settings = ["max-attempts=7", "runner_options.parallelism=16", "source=[x, y]"]
    whole = merged(file, "prod", settings)
    assert whole.plain == {
        "max_attempts": 7,
        "runner_options": {"parallelism": 16, "a": 1},
        "source": ["x", "y"],
    }
    assert whole.value["source"].value[0].place == "--set source"


def test_dots_in_the_name_of_a_pair_belong_to_it(file: str) -> None:
    whole = merged(file, None, ["kafka_config.security.protocol=SSL", "routes.default=dead"])
    assert whole.plain["kafka_config"] == {"security.protocol": "SSL"}
    assert whole.plain["routes"] == {"default": "dead"}


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        (
            "max_attemps=3",
            "--set max_attemps: there is no option max_attemps; is max_attempts meant?",
        ),
        ("max_attempts", "--set takes KEY=VALUE"),
        ("source.uri=x", "--set source.uri: source is a list, no mapping; set source=… as a whole"),
        ("table=# a comment", "--set table: is empty"),
        ("table=[a", "--set table: not YAML"),
    ],
)
def test_a_wrong_setting_is_one_line(file: str, setting: str, line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        merged(file, None, [setting])
    assert str(refused.value).startswith(line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("- a", "p.yaml:1:1: a pipeline file is a mapping of options"),
        ("max-rate: 1\nmax_rate: 2", "p.yaml:2:1: max_rate occurs twice, with hyphens"),
    ],
)
def test_a_document_that_is_no_mapping_of_options_is_refused(
    file: str, text: str, line: str
) -> None:
    Path(file).write_text(text)
    with pytest.raises(ConfigError) as refused:
        merged(file, None, [])
    assert str(refused.value).startswith(line)


def test_an_environment_without_a_file_names_those_that_there_are(file: str) -> None:
    assert environment_file(file, "prod") == "p.prod.yaml"
    with pytest.raises(ConfigError, match=r"there is no file p\.test\.yaml; there are .* prod$"):
        environment_file(file, "test")
    with pytest.raises(ConfigError, match="letters, digits"):
        environment_file(file, "../prod")


def test_no_message_shows_a_secret_of_a_file(file: str) -> None:
    Path(file).write_text("kafka_config: {sasl.password: canary-in-a-file}\n")
    merged(file, None, [])
    assert "canary" not in redact("refused: canary-in-a-file")
