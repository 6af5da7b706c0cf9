from __future__ import annotations

from tests.newest_beam import requirements


def test_beam_alone_has_no_version() -> None:
    dependencies = ["apache-beam[gcp]>=2.77,<2.78", "PyYAML>=6", "moto[s3,server]>=5.1", "new>=1"]
    locked = ["apache_beam==2.77.0", "moto==5.2.3", "pyyaml==6.0.2", "other==1.0"]
    assert requirements(dependencies, locked) == [
        "apache-beam[gcp]",
        "PyYAML==6.0.2",
        "moto[s3,server]==5.2.3",
        "new",
    ]
