"""What stands for what a page leaves open, where its commands run in a test (``tests/pages/page.py``)."""

from __future__ import annotations

SUBSTITUTIONS: dict[str, dict[str, str]] = {
    "README.md": {
        "broker:9092": "{broker}",
    },
    "docs/change-events.md": {
        "host:9092": "{broker}",
        "postgresql://user@host/db": "{postgres}",
    },
    "docs/compaction.md": {
        "s3://lake/events": "s3://{bucket}/live",
        "postgresql://user@host/db": "{postgres}",
        "--keep 1d": "--keep 0s",
    },
    "docs/console.md": {
        "postgresql://user@host/db": "{postgres} --listen 127.0.0.1:0",
        "postgresql://user:${env:PGPASSWORD}@host/db": "{with_password}",
        "0.0.0.0:8400": "127.0.0.1:0",
    },
    "docs/control.md": {
        "postgresql://user@host/db": "{postgres}",
        "ingest … --pipeline": "ingest --source kafka://{broker}/steered --sink {postgres} --table orders --key id --pipeline",
        "kafka://broker:9092/events": "kafka://{broker}/steered",
        "kafka://orders": "kafka://steered",
        "tenant_id …": "tenant_id --sink {postgres} --table tenants --key id",
    },
    "docs/deployment.md": {
        "create namespace sluice": "create namespace sluice --dry-run=client --output=yaml",
        "/dev/stdin": "/dev/stdin --dry-run=client --output=yaml < password.txt",
        "deploy/": "{root}/deploy/",
        'psql "$SINK" --command': 'setsid --wait psql "$SINK" < twice.txt --command',
        "HOST:8081": "{master}",
        "--sink URL": "--sink {postgres}",
        "… submit …": "sluice {submission}",
        "=PATH": "={savepoint}",
    },
    "docs/doctor.md": {
        "URL": "{database}",
        "--pipeline orders": "--pipeline events",
        "postgresql://monitor@host/db": "{postgres}",
        "--role ingest": "--role postgres",
    },
    "docs/files.md": {
        "URL": "{database}",
        "s3://bucket": "s3://{bucket}",
    },
    "docs/flink.md": {
        "--runner FlinkRunner": "--runner FlinkRunner {cluster}",
        "localhost:9092/events": "{broker}/flink-events",
        "postgresql://localhost/db": "'{postgres}'",
        "flink status": "flink status --flink_master {master}",
        "flink stop": "flink stop --flink_master {master}",
        "/data/orders": "{folder}",
    },
    "docs/install.md": {
        ".venv/bin": "{bin}",
    },
    "docs/kafka.md": {
        "broker:9092": "{broker}",
        "postgresql://loader@db/app": "{postgres}",
        "[--streaming]": "",
    },
    "docs/objects.md": {
        "localhost:9092": "{broker}",
        "s3://lake/raw?format=parquet&": "s3://{bucket}/live?format=parquet&",
        "s3://lake/raw": "s3://{bucket}/raw",
        "postgresql://user@host/db": "{postgres}",
    },
    "docs/operations.md": {
        "URL": "{database}",
        "--id 17": "--id {job}",
        "[--dry_run]": "",
    },
    "docs/outbox.md": {
        "…": "--source kafka://{broker}/events",
        "host:9092": "{broker}",
        "postgresql://user@host/db": "{postgres}",
    },
    "docs/registry.md": {
        "localhost:9092/orders": "{broker}/avro-orders",
        "postgresql://user@host/db": "{postgres}",
        "https://registry:8081": "{registry}",
    },
    "docs/releasing.md": {
        "../release": "{folder}/release",
        "/tmp/release": "{folder}/venv",
        "0.3.0": "{version}",
    },
    "docs/retries.md": {
        "URL": "{database}",
        "3f9a11c2b07d": "{fingerprint}",
        "--cancel 7": "--cancel {order}",
        "--id 7": "--id {job}",
    },
    "docs/rewind.md": {
        "URL": "{database}",
        "kafka://orders": "kafka://steered",
        "1200000": "2",
    },
    "docs/routes.md": {
        "localhost:9092/events": "{broker}/several",
        "postgresql://localhost/shop": "{postgres}",
    },
    "docs/schema-evolution.md": {
        "s3://in": "s3://{bucket}",
        "postgresql://etl@db/shop": "{postgres}",
        "…": "--source 's3://{bucket}/orders/*.jsonl' --sink {postgres} --table orders --key id --retry_wait 0",
    },
    "docs/services.md": {
        "/usr/local/src/sluice": "{checkout}",
        "/etc/": "{root}/etc/",
    },
    "docs/targets.md": {
        "URL": "{database}",
    },
    "docs/upgrading.md": {
        "URL": "{database}",
        "migrate.sql …": "migrate.sql {database}",
    },
}
"""By page: each text of its commands that is replaced, and what it is replaced by. ``{name}`` is a place that
the test has prepared."""
