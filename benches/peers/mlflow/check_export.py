#!/usr/bin/env python3
"""Read an MLflow SQLite file with the installed MLflow client and print it as JSON.

    python check_export.py DB [--json] [--no-lint] [--long-values] [--timing] [--ask FILE]

The file is copied first (with sqlite3's backup, so a WAL is included): MLflow
migrates whatever it opens. Needs one of requirements-*.txt.

Output: one JSON document on stdout (indented; `--json`: on one line).
  {"mlflow": version, "schema_revision": before opening, "migrated_to": after,
   "experiments": [{experiment_id, name, lifecycle_stage, artifact_location,
                    creation_time, last_update_time, tags}],
   "runs": [{run_id, run_name, experiment_id, status, lifecycle_stage, user_id,
             start_time, end_time, artifact_uri, params, tags, metrics,
             history: {key: [[timestamp, step, value], ...]},   # MLflow's order
             inputs: [{name, digest, source_type, source, schema, profile, tags}],
             artifacts: [{path, is_dir, size, sha256}]}],
   "registered_models": [{name, description, creation_timestamp,
        last_updated_timestamp, tags, aliases: {alias: version},
        latest_versions: {stage: version},
        versions: [{version, stage, status, source, run_id, run_link, user_id,
                    description, creation_timestamp, last_updated_timestamp,
                    tags, aliases, download_uri, by_alias_ok}]}]}
Non-finite floats are the strings "NaN", "Infinity", "-Infinity". Experiments, runs
and models are sorted by id/name; `artifacts` is null when the run's artifact root
does not exist (a run without artifacts need not have a folder).

`--ask FILE`: questions about models, a JSON object whose members may be absent:
  {"into": folder, "download": [uri, ...],       # the n-th URI goes to folder/n
   "models": [[filter, [order, ...]], ...], "versions": [[filter, [order, ...]], ...]}
and "answers" in the document: {"models": [[name, ...], ...],
   "versions": [["name/number", ...], ...]}, or {"error": text} for one that is refused.

Exit 0, or 1 with a message on stderr: MLflow refused something, or `lint` (plain
SQL on the file before MLflow touches it) found a row that MLflow would not have
written.
"""
import argparse
import hashlib
import json
import math
import os
import shutil
import sqlite3
import sys
import tempfile
import time
import traceback
from pathlib import Path
from urllib.parse import unquote, urlparse

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")


def num(x):
    """JSON-safe float."""
    if isinstance(x, float):
        if math.isnan(x):
            return "NaN"
        if math.isinf(x):
            return "Infinity" if x > 0 else "-Infinity"
    return x


def paged(fetch):
    token, out = None, []
    while True:
        page = fetch(token)
        out.extend(page)
        token = getattr(page, "token", None)
        if not token:
            return out


def local_path(uri):
    """Local path of a `file:` URI or plain path; None for anything else."""
    u = urlparse(uri)
    if u.scheme == "":
        return uri
    if u.scheme == "file":
        return unquote(u.path)
    return None


def artifacts(client, run):
    root = local_path(run.info.artifact_uri)
    if root is not None and not os.path.isdir(root):
        return None
    out = []

    def walk(path):
        for f in client.list_artifacts(run.info.run_id, path):
            entry = {"path": f.path, "is_dir": bool(f.is_dir), "size": f.file_size, "sha256": None}
            out.append(entry)
            if f.is_dir:
                walk(f.path)
                continue
            with tempfile.TemporaryDirectory() as d:
                got = client.download_artifacts(run.info.run_id, f.path, d)
                data = Path(got).read_bytes()
            if len(data) != f.file_size:
                raise RuntimeError(f"{f.path}: listed {f.file_size} bytes, downloaded {len(data)}")
            if root is not None and data != (Path(root) / f.path).read_bytes():
                raise RuntimeError(f"{f.path}: downloaded other bytes than lie there")
            entry["sha256"] = hashlib.sha256(data).hexdigest()

    walk(None)
    return sorted(out, key=lambda e: e["path"])


def dump_run(client, r):
    # get_run, not the search result: it is what a user calls, and both must agree.
    full = client.get_run(r.info.run_id)
    if full.data.params != r.data.params or full.data.tags != r.data.tags:
        raise RuntimeError(f"search_runs and get_run disagree on run {r.info.run_id}")
    history = {
        k: [[m.timestamp, m.step, num(m.value)] for m in client.get_metric_history(r.info.run_id, k)]
        for k in sorted(full.data.metrics)
    }
    return {
        "run_id": full.info.run_id,
        "run_name": full.info.run_name,
        "experiment_id": full.info.experiment_id,
        "status": full.info.status,
        "lifecycle_stage": full.info.lifecycle_stage,
        "user_id": full.info.user_id,
        "start_time": full.info.start_time,
        "end_time": full.info.end_time,
        "artifact_uri": full.info.artifact_uri,
        "params": dict(sorted(full.data.params.items())),
        "tags": dict(sorted(full.data.tags.items())),
        "metrics": {k: num(v) for k, v in sorted(full.data.metrics.items())},
        "history": history,
        "inputs": sorted(
            (
                {
                    "name": i.dataset.name,
                    "digest": i.dataset.digest,
                    "source_type": i.dataset.source_type,
                    "source": i.dataset.source,
                    "schema": i.dataset.schema,
                    "profile": i.dataset.profile,
                    "tags": {t.key: t.value for t in i.tags},
                }
                for i in (full.inputs.dataset_inputs if full.inputs else [])
            ),
            key=lambda i: (i["name"], i["digest"]),
        ),
        "artifacts": artifacts(client, full),
    }


def dump_model(client, rm):
    versions = []
    quote = '"' if "'" in rm.name else "'"
    for mv in paged(
        lambda t: client.search_model_versions(
            f"name={quote}{rm.name}{quote}", max_results=1000, page_token=t
        )
    ):
        again = client.get_model_version(rm.name, mv.version)
        aliases = sorted(again.aliases)
        versions.append(
            {
                "version": str(again.version),
                "stage": again.current_stage,
                "status": again.status,
                "source": again.source,
                "run_id": again.run_id,
                "run_link": again.run_link,
                "user_id": again.user_id,
                "description": again.description,
                "creation_timestamp": again.creation_timestamp,
                "last_updated_timestamp": again.last_updated_timestamp,
                "tags": dict(sorted(again.tags.items())),
                "aliases": aliases,
                "download_uri": client.get_model_version_download_uri(rm.name, mv.version),
                "by_alias_ok": all(
                    str(client.get_model_version_by_alias(rm.name, a).version) == str(again.version)
                    for a in aliases
                ),
            }
        )
    full = client.get_registered_model(rm.name)
    return {
        "name": full.name,
        "description": full.description,
        "creation_timestamp": full.creation_timestamp,
        "last_updated_timestamp": full.last_updated_timestamp,
        "tags": dict(sorted(full.tags.items())),
        "aliases": {a: str(v) for a, v in sorted(full.aliases.items())},
        "latest_versions": {
            v.current_stage: str(v.version)
            for v in sorted(full.latest_versions, key=lambda v: v.current_stage)
        },
        "versions": sorted(versions, key=lambda v: int(v["version"])),
    }


def dump(client):
    """Everything the classic API shows of one store."""
    from mlflow.entities import ViewType

    exps = paged(lambda t: client.search_experiments(ViewType.ALL, max_results=1000, page_token=t))
    runs = []
    for e in exps:
        runs += paged(
            lambda t: client.search_runs([e.experiment_id], "", ViewType.ALL, 1000, page_token=t)
        )
    return {
        "experiments": sorted(
            (
                {
                    "experiment_id": str(e.experiment_id),
                    "name": e.name,
                    "lifecycle_stage": e.lifecycle_stage,
                    "artifact_location": e.artifact_location,
                    "creation_time": e.creation_time,
                    "last_update_time": e.last_update_time,
                    "tags": dict(sorted(e.tags.items())),
                }
                for e in exps
            ),
            key=lambda e: int(e["experiment_id"]),
        ),
        "runs": sorted((dump_run(client, r) for r in runs), key=lambda r: r["run_id"]),
        "registered_models": sorted(
            (
                dump_model(client, m)
                for m in paged(lambda t: client.search_registered_models(max_results=100, page_token=t))
            ),
            key=lambda m: m["name"],
        ),
    }


def asked(ask):
    try:
        return ask()
    except Exception as e:  # noqa: BLE001 - a refusal is an answer
        return {"error": str(e)}


def answers(client, uri, questions):
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    for n, source in enumerate(questions.get("download", [])):
        to = Path(questions["into"]) / str(n)
        to.mkdir(parents=True)
        mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=str(to))
    return {
        "models": [
            asked(
                lambda: [
                    m.name
                    for m in paged(
                        lambda t: client.search_registered_models(f, max_results=100, order_by=o, page_token=t)
                    )
                ]
            )
            for f, o in questions.get("models", [])
        ],
        "versions": [
            asked(
                lambda: [
                    f"{v.name}/{v.version}"
                    for v in paged(
                        lambda t: client.search_model_versions(f, max_results=1000, order_by=o, page_token=t)
                    )
                ]
            )
            for f, o in questions.get("versions", [])
        ],
    }


LONG_VALUES = "value longer than its column"

# Each query returns the offending rows; the text says what MLflow would have done.
LINT = [
    ("integrity_check", "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
    ("foreign_key_check", "SELECT * FROM pragma_foreign_key_check"),
    ("experiment 0 must exist", "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM experiments WHERE experiment_id = 0)"),
    ("experiment fields must not be NULL", "SELECT experiment_id FROM experiments WHERE artifact_location IS NULL OR lifecycle_stage IS NULL OR creation_time IS NULL OR last_update_time IS NULL"),
    ("run fields must not be NULL", "SELECT run_uuid FROM runs WHERE user_id IS NULL OR status IS NULL OR start_time IS NULL OR lifecycle_stage IS NULL OR artifact_uri IS NULL OR experiment_id IS NULL OR name IS NULL OR source_type IS NULL"),
    ("run id must be 32 lower-case hex digits", "SELECT run_uuid FROM runs WHERE length(run_uuid) <> 32 OR run_uuid GLOB '*[^0-9a-f]*'"),
    ("runs.name must equal tag mlflow.runName", "SELECT r.run_uuid FROM runs r LEFT JOIN tags t ON t.run_uuid = r.run_uuid AND t.\"key\" = 'mlflow.runName' WHERE t.value IS NULL OR t.value <> r.name"),
    ("deleted_time iff lifecycle_stage deleted", "SELECT run_uuid FROM runs WHERE (lifecycle_stage = 'deleted') <> (deleted_time IS NOT NULL)"),
    ("NaN metric must be value 0, is_nan 1", "SELECT run_uuid, \"key\" FROM metrics WHERE is_nan = 1 AND value <> 0"),
    ("infinite metric must be clamped", "SELECT run_uuid, \"key\" FROM metrics WHERE abs(value) > 1.7976931348623157e308"),
    ("metric numbers must have numeric storage", "SELECT run_uuid, \"key\" FROM metrics WHERE typeof(value) NOT IN ('real', 'integer') OR typeof(timestamp) <> 'integer' OR typeof(step) <> 'integer' OR typeof(is_nan) <> 'integer'"),
    ("latest_metrics must be max by (step, timestamp, value)", """
        SELECT * FROM (
          SELECT run_uuid, "key", step, timestamp, value, is_nan FROM (
            SELECT *, row_number() OVER (PARTITION BY run_uuid, "key"
              ORDER BY step DESC, timestamp DESC, value DESC, is_nan) AS n FROM metrics) WHERE n = 1
          EXCEPT SELECT run_uuid, "key", step, timestamp, value, is_nan FROM latest_metrics)
        UNION ALL
        SELECT * FROM (
          SELECT run_uuid, "key", step, timestamp, value, is_nan FROM latest_metrics
          EXCEPT SELECT run_uuid, "key", step, timestamp, value, is_nan FROM metrics)"""),
    # SQLite does not enforce these, MLflow reads what is there, and cutting would lose it.
    (LONG_VALUES, """
        SELECT 'param', run_uuid, "key" FROM params WHERE length(value) > 8000
        UNION ALL SELECT 'tag', run_uuid, "key" FROM tags WHERE length(value) > 5000"""),
    ("text longer than its column", """
        SELECT 'param', run_uuid, "key" FROM params WHERE length("key") > 250
        UNION ALL SELECT 'tag', run_uuid, "key" FROM tags WHERE length("key") > 250
        UNION ALL SELECT 'metric', run_uuid, "key" FROM latest_metrics WHERE length("key") > 250
        UNION ALL SELECT 'run', run_uuid, name FROM runs WHERE length(name) > 250 OR length(artifact_uri) > 200
        UNION ALL SELECT 'experiment', experiment_id, name FROM experiments WHERE length(name) > 256 OR length(artifact_location) > 256
        UNION ALL SELECT 'dataset', dataset_uuid, name FROM datasets WHERE length(name) > 500 OR length(digest) > 36 OR length(dataset_source_type) > 36
        UNION ALL SELECT 'input_tag', input_uuid, name FROM input_tags WHERE length(name) > 255 OR length(value) > 500
        UNION ALL SELECT 'version', name, version FROM model_versions WHERE length(source) > 500 OR length(storage_location) > 500"""),
    ("input must join a DATASET to a RUN", "SELECT input_uuid FROM inputs i WHERE source_type <> 'DATASET' OR destination_type <> 'RUN' OR NOT EXISTS (SELECT 1 FROM datasets d WHERE d.dataset_uuid = i.source_id) OR NOT EXISTS (SELECT 1 FROM runs r WHERE r.run_uuid = i.destination_id)"),
    ("alias must name an existing version", "SELECT name, alias FROM registered_model_aliases a WHERE NOT EXISTS (SELECT 1 FROM model_versions v WHERE v.name = a.name AND v.version = a.version)"),
    ("model version fields", "SELECT name, version FROM model_versions WHERE current_stage NOT IN ('None', 'Staging', 'Production', 'Archived', 'Deleted_Internal') OR current_stage IS NULL OR status NOT IN ('READY', 'PENDING_REGISTRATION', 'FAILED_REGISTRATION') OR status IS NULL OR creation_time IS NULL OR last_updated_time IS NULL OR source IS NULL OR version < 1"),
]


def lint(db, long_values):
    """Problems MLflow itself would not report. Only for files at the export revision."""
    conn = sqlite3.connect(db)
    problems = []
    for what, sql in LINT:
        if long_values and what == LONG_VALUES:
            continue
        rows = conn.execute(sql).fetchmany(3)
        if rows:
            problems.append(f"{what}: e.g. {rows}")
    conn.close()
    return problems


def revision(db):
    conn = sqlite3.connect(db)
    try:
        return [r[0] for r in conn.execute("SELECT version_num FROM alembic_version")]
    finally:
        conn.close()


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("db")
    ap.add_argument("--json", action="store_true", help="one line instead of indented")
    ap.add_argument("--no-lint", action="store_true")
    ap.add_argument("--long-values", action="store_true", help="params and tags may be longer than MLflow logs")
    ap.add_argument("--ask", help="questions about models")
    ap.add_argument("--timing", action="store_true", help="seconds on stderr")
    args = ap.parse_args()
    if not os.path.isfile(args.db):
        sys.exit(f"check_export: no such file: {args.db}")
    t0 = time.time()
    work = tempfile.mkdtemp(prefix="check_export")
    try:
        copy = os.path.join(work, "mlflow.db")
        src = sqlite3.connect(Path(args.db).resolve().as_uri() + "?mode=ro", uri=True)
        dst = sqlite3.connect(copy)
        src.backup(dst)
        src.close()
        dst.close()
        before = revision(copy)
        if not args.no_lint and before == ["acf3f17fdcc7"]:
            problems = lint(copy, args.long_values)
            if problems:
                sys.exit("check_export: " + "\ncheck_export: ".join(problems))
        import logging

        import mlflow
        from mlflow import MlflowClient

        logging.getLogger("alembic").setLevel(logging.WARNING)
        t1 = time.time()
        uri = "sqlite:///" + copy
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments()  # opens and migrates
        t2 = time.time()
        doc = {"mlflow": mlflow.__version__, "schema_revision": before, "migrated_to": revision(copy)}
        doc.update(dump(client))
        if args.ask:
            doc["answers"] = answers(client, uri, json.loads(Path(args.ask).read_text(encoding="utf-8")))
        t3 = time.time()
        print(json.dumps(doc, allow_nan=False, ensure_ascii=False, indent=None if args.json else 1))
        if args.timing:
            print(f"import {t1 - t0:.2f} s, open+migrate {t2 - t1:.2f} s, read {t3 - t2:.2f} s", file=sys.stderr)
    except SystemExit:
        raise
    except BaseException as e:  # noqa: BLE001 - any failure is a failed check
        traceback.print_exc()
        sys.exit(f"check_export: {type(e).__name__}: {e}")
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
