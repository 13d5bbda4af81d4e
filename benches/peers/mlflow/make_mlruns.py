#!/usr/bin/env python3
"""Write a rich sample with the real MLflow client, for testing importers.

    python make_mlruns.py OUTDIR > expected.json

OUTDIR must not exist or be empty. Afterwards it holds
  OUTDIR/mlruns                      file store (tracking and model registry)
  OUTDIR/mlflow.db, OUTDIR/artifacts SQLite store at the installed version's revision
  OUTDIR/tree                        a model that lies in no run (both name it)
with the same content (ids differ: MLflow draws them). One JSON on stdout:
  {"mlflow": version,
   "written": {"experiments": [...], "runs": [...], "models": [...]},   # what was asked for
   "ids": {"file": {...}, "sqlite": {...}},     # our handle -> experiment id / run id
   "file": dump, "sqlite": dump}                # what the client reads back (check_export.dump)
`written` and the dumps differ where MLflow changes values: +-Infinity is kept in
the file store and clamped to +-1.7976931348623157e308 in SQL, and MLflow adds tags.
Non-finite floats are the strings "NaN", "Infinity", "-Infinity".

Two things only some stores or versions have:
  child1 / metric "with_dataset" (3.x): in the file store its lines have 5 fields
    `timestamp value step dataset digest`; MLflow's own reader then drops the step
    (the file dump says step 0), an importer should keep it;
  child1 / metric "legacy" (file store only): 2-field lines, as MLflow < 1.0 wrote
    them (appended by hand below), step 0.

The model "tree" has a version of its run's files, a copy of it, one of a folder in no
run and, in 3.x, one of a logged model; each with the same signature.

All times are fixed; run ids, dataset ids, experiment ids and the registry's time
stamps are not.
"""
import inspect
import json
import logging
import os
import sys
import tempfile
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"  # the file store needs it since 3.13

sys.dont_write_bytecode = True
import check_export  # noqa: E402  (same folder)

T0 = 1_700_000_000_000  # ms
INF, NAN = float("inf"), float("nan")
LONG = "".join(chr(ord("a") + i % 26) for i in range(6000))  # MLflow's own limit
LONG_TAG = "tag-" * 1200  # 4800: below every version's limit (5000)
NOTE = "# Title\n\nA *note* with `code`,\nlines, \ttabs, \"quotes\" and ünïcödé ✓.\n"
SCHEMA = '{"mlflow_colspec": [{"type": "double", "name": "x", "required": true}]}'
PROFILE = '{"num_rows": 3, "num_elements": 6}'

# (timestamp, step, value), in the order they are logged.
CURVE = [(T0 + 10 * i, i, 1.0 / (i + 1)) for i in range(20)]
WITH_DATASET = [(T0 + 1200, 1, 0.25), (T0 + 1201, 2, 0.125)]
LEGACY = [(T0 + 1300, 0, 0.5), (T0 + 1301, 0, -3.5)]
EXPERIMENTS = [
    {"handle": "alpha", "name": "alpha", "tags": {"team": "vision", "mlflow.note.content": NOTE}},
    {"handle": "beta", "name": "beta / spaces & ünïcödé", "tags": {}},
    {"handle": "gone", "name": "deleted-experiment", "tags": {"why": "trash"}, "deleted": True},
]
TREE = {  # a model of MLflow's own kind, written by hand: pyfunc needs NumPy
    "MLmodel": b"""artifact_path: tree
flavors:
  python_function:
    loader_module: nothing
    python_version: 3.11.0
mlflow_version: 2.9.2
model_uuid: 00000000000000000000000000000000
signature:
  inputs: '[{"type": "double", "name": "x", "required": true}, {"type": "string", "name":
    "city", "required": false}]'
  outputs: '[{"type": "long", "name": "y", "required": true}]'
  params: null
utc_time_created: '2023-11-14 22:13:20.000000'
""",
    "model.bin": b"tree" * 100,
}
RUNS = [
    {
        "handle": "parent", "experiment": "alpha", "run_name": "parent-run",
        "start_time": T0, "end_time": T0 + 60_000, "status": "FINISHED",
        "user": "ada",
        "params": {"lr": "0.01", "layers": "[1, 2, 3]", "empty": "", "opt/name": "adam",
                   "long": LONG, "unicode": "ünïcödé ✓", "multi line": "a\nb\nc\n", "trail": " x "},
        "tags": {"mlflow.note.content": NOTE, "mlflow.source.name": "train.py",
                 "mlflow.source.type": "LOCAL", "mlflow.source.git.commit": "0" * 40,
                 "long": LONG_TAG, "empty": "", "with/slash": "v"},
        "metrics": {
            "loss": CURVE,
            "train/loss": [(T0 + 1, 0, 0.5), (T0 + 2, 1, 0.25)],
            "train/deep/er": [(T0 + 1, 0, -0.0), (T0 + 2, 0, 5e-324)],
            "nan": [(T0, 0, 1.5), (T0 + 1, 1, NAN)],
            "pinf": [(T0, 0, INF)],
            "ninf": [(T0, 0, -INF)],
            "nan then number": [(T0, 0, NAN), (T0 + 1, 1, 2.0)],
            # latest is max (step, timestamp, value), not the last one written
            "out_of_order": [(T0 + 5, 5, 50.0), (T0 + 9, 3, 30.0)],
            "same_step": [(T0, 7, 1.0), (T0 + 1, 7, 3.0), (T0 + 1, 7, 2.0)],
            "negative_step": [(T0, -5, 1.0), (T0 + 1, -6, 2.0)],
            "exact": [(T0, 0, 0.1), (T0 + 1, 1, 1 / 3), (T0 + 2, 2, 1.7976931348623157e308),
                      (T0 + 3, 3, 123456789.123456789), (T0 + 4, 4, 1e-300)],
        },
        "inputs": [
            {"name": "train.csv", "digest": "d1a2b3c4", "source_type": "local",
             "source": '{"uri": "data/train.csv"}', "schema": SCHEMA, "profile": PROFILE,
             "tags": {"mlflow.data.context": "training"}},
            {"name": "valid.csv", "digest": "e5f6", "source_type": "local",
             "source": '{"uri": "data/valid.csv"}', "schema": None, "profile": None, "tags": {}},
        ],
        "artifacts": {"readme.txt": b"hello\n", "plots/a.png": bytes(range(256)) * 40,
                      "plots/deep/b.json": b'{"x": 1}', "empty.bin": b"",
                      "model/MLmodel": b"flavors: {}\n", "model/data/weights.bin": b"\x00\x01" * 5000,
                      "with space & ü.txt": b"u",
                      "tree/MLmodel": TREE["MLmodel"], "tree/model.bin": TREE["model.bin"]},
    },
    {
        "handle": "child1", "experiment": "alpha", "run_name": "child-1", "parent": "parent",
        "start_time": T0 + 1000, "end_time": T0 + 2000, "status": "FINISHED", "user": "ada",
        "params": {"lr": "0.1"}, "tags": {}, "metrics": {"loss": [(T0 + 1100, 0, 0.9)]},
        "inputs": [
            # the same data set as the parent's: MLflow stores it once per experiment
            {"name": "train.csv", "digest": "d1a2b3c4", "source_type": "local",
             "source": '{"uri": "data/train.csv"}', "schema": SCHEMA, "profile": PROFILE,
             "tags": {"mlflow.data.context": "eval", "extra": "1"}},
        ],
        "artifacts": {"a/b/c/d.txt": b"deep"},
    },
    {
        "handle": "grandchild", "experiment": "alpha", "run_name": "grand-child", "parent": "child1",
        "start_time": T0 + 1500, "end_time": T0 + 1600, "status": "FAILED", "user": "bob",
        "params": {}, "tags": {}, "metrics": {}, "inputs": [], "artifacts": {},
    },
    {
        "handle": "running", "experiment": "beta", "run_name": "still running",
        "start_time": T0 + 3000, "end_time": None, "status": "RUNNING", "user": "bob",
        "params": {"p": "1"}, "tags": {"k": "v"}, "metrics": {"m": [(T0 + 3001, 0, 1.0)]},
        "inputs": [], "artifacts": {},
    },
    {
        "handle": "killed", "experiment": "beta", "run_name": "killed run",
        "start_time": T0 + 4000, "end_time": T0 + 4500, "status": "KILLED", "user": "bob",
        "params": {}, "tags": {}, "metrics": {}, "inputs": [], "artifacts": {"log.txt": b"bye\n"},
    },
    {
        "handle": "deleted", "experiment": "beta", "run_name": "deleted run", "deleted": True,
        "start_time": T0 + 5000, "end_time": T0 + 5500, "status": "FINISHED", "user": "bob",
        "params": {"p": "2"}, "tags": {}, "metrics": {"m": [(T0 + 5001, 0, 2.0)]},
        "inputs": [], "artifacts": {"keep.txt": b"kept\n"},
    },
    {
        "handle": "in_gone", "experiment": "gone", "run_name": "in deleted experiment",
        "start_time": T0 + 6000, "end_time": T0 + 6500, "status": "FINISHED", "user": "bob",
        "params": {"p": "3"}, "tags": {}, "metrics": {"m": [(T0 + 6001, 0, 3.0)]},
        "inputs": [], "artifacts": {},
    },
]
MODELS = [
    {
        "name": "churn", "description": "A *model*.", "tags": {"owner": "ada", "empty": ""},
        "versions": [
            {"run": "parent", "path": "model", "description": "first", "tags": {"v": "1"}, "stage": "Archived"},
            {"run": "child1", "path": "a", "description": None, "tags": {}, "stage": "Production"},
            {"run": "parent", "path": "model", "description": None, "tags": {}, "stage": "Staging"},
            {"run": "parent", "path": "model", "description": None, "tags": {}, "deleted": True},
            {"run": None, "source": "s3://bucket/elsewhere/model", "description": None, "tags": {}},
        ],
        "aliases": {"champion": 2, "challenger": 3, "champion-old": 2},
    },
    {
        "name": "tree", "description": None, "tags": {},
        "versions": [
            {"run": "parent", "path": "tree", "description": "a *tree*", "tags": {"depth": "3"}},
            {"run": "parent", "source": "models:/tree/1", "description": None, "tags": {}, "stage": "Staging"},
            {"run": None, "source": "$OUT/tree", "description": None, "tags": {}},
            {"run": None, "logged": True, "description": None, "tags": {}},
        ],
        "aliases": {"newest": 3},
    },
    {"name": "no versions", "description": None, "tags": {}, "versions": [], "aliases": {}},
]


def write_tree(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in TREE.items():
        (folder / name).write_bytes(data)


def logged_model(client, experiment):
    """A logged model with the tree's files; None before MLflow 3."""
    if not hasattr(client, "create_logged_model"):
        return None
    model = client.create_logged_model(experiment, name="tree")
    with tempfile.TemporaryDirectory() as d:
        write_tree(Path(d))
        client.log_model_artifacts(model.model_id, d)
    client.finalize_logged_model(model.model_id, "READY")
    return model.model_id


def write(client, artifact_root, out):
    """Write everything through `client`; returns handle -> id."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

    ids = {"experiments": {}, "runs": {}}
    uris = {}
    for e in EXPERIMENTS:
        location = None
        if artifact_root is not None:
            location = (artifact_root / e["handle"]).as_uri()
        eid = client.create_experiment(e["name"], artifact_location=location, tags=e["tags"] or None)
        ids["experiments"][e["handle"]] = eid
    for r in RUNS:
        tags = {"mlflow.user": r["user"], **r["tags"]}
        if r.get("parent"):
            tags["mlflow.parentRunId"] = ids["runs"][r["parent"]]
        run = client.create_run(
            ids["experiments"][r["experiment"]], start_time=r["start_time"], run_name=r["run_name"], tags=tags
        )
        rid = run.info.run_id
        ids["runs"][r["handle"]] = rid
        uris[r["handle"]] = run.info.artifact_uri
        for k, v in r["params"].items():
            client.log_param(rid, k, v)
        for i, (k, points) in enumerate(r["metrics"].items()):
            if i % 2:
                for t, s, v in points:
                    client.log_metric(rid, k, v, timestamp=t, step=s)
            else:
                client.log_batch(rid, metrics=[Metric(k, v, t, s) for t, s, v in points])
        client.log_batch(rid, params=[Param("batched", "1")], tags=[RunTag("batched", "1")])
        if r["handle"] == "child1" and "dataset_name" in inspect.signature(client.log_metric).parameters:
            for t, s, v in WITH_DATASET:
                client.log_metric(rid, "with_dataset", v, t, s, dataset_name="train.csv", dataset_digest="d1a2b3c4")
        if r["inputs"]:
            client.log_inputs(
                rid,
                [
                    DatasetInput(
                        Dataset(i["name"], i["digest"], i["source_type"], i["source"], i["schema"], i["profile"]),
                        [InputTag(k, v) for k, v in i["tags"].items()],
                    )
                    for i in r["inputs"]
                ],
            )
        for path, data in r["artifacts"].items():
            with tempfile.TemporaryDirectory() as d:
                f = Path(d) / Path(path).name
                f.write_bytes(data)
                parent = Path(path).parent.as_posix()
                client.log_artifact(rid, str(f), None if parent == "." else parent)
        if r["status"] != "RUNNING":
            client.set_terminated(rid, r["status"], r["end_time"])
    for m in MODELS:
        client.create_registered_model(m["name"], m["tags"], m["description"])
        for v in m["versions"]:
            rid = ids["runs"][v["run"]] if v["run"] else None
            more = {}
            if v.get("logged"):
                model_id = logged_model(client, ids["experiments"]["beta"])
                if model_id is None:
                    continue
                source, more = f"models:/{model_id}", {"model_id": model_id}
            elif v.get("source"):
                source = v["source"].replace("$OUT", out.as_uri())
            else:
                source = f"{uris[v['run']]}/{v['path']}"
            mv = client.create_model_version(
                m["name"], source, rid, tags=v["tags"], description=v["description"], **more
            )
            if v.get("stage"):
                client.transition_model_version_stage(m["name"], mv.version, v["stage"])
            if v.get("deleted"):
                client.delete_model_version(m["name"], mv.version)
        for alias, version in m["aliases"].items():
            client.set_registered_model_alias(m["name"], alias, str(version))
    for r in RUNS:
        if r.get("deleted"):
            client.delete_run(ids["runs"][r["handle"]])
    for e in EXPERIMENTS:
        if e.get("deleted"):
            client.delete_experiment(ids["experiments"][e["handle"]])
    return ids


def jsonable(x):
    import hashlib

    if isinstance(x, dict):
        return {k: jsonable(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [jsonable(v) for v in x]
    if isinstance(x, bytes):
        return {"size": len(x), "sha256": hashlib.sha256(x).hexdigest()}
    return check_export.num(x)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out = Path(sys.argv[1]).resolve()
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        sys.exit(f"make_mlruns: {out} is not empty")

    import warnings

    write_tree(out / "tree")
    import mlflow
    from mlflow import MlflowClient

    warnings.simplefilter("ignore")  # stages are deprecated; we want them
    logging.getLogger("alembic").setLevel(logging.WARNING)
    doc = {
        "mlflow": mlflow.__version__,
        "written": jsonable({"experiments": EXPERIMENTS, "runs": RUNS, "models": MODELS}),
        "ids": {},
    }
    for r in doc["written"]["runs"]:  # what the store gets besides the listed values
        r["params"]["batched"] = "1"
        r["tags"]["batched"] = "1"
        if r["handle"] == "child1":
            if "dataset_name" in inspect.signature(MlflowClient.log_metric).parameters:
                r["metrics"]["with_dataset"] = jsonable(WITH_DATASET)
            r["metrics_file_only"] = {"legacy": jsonable(LEGACY)}
    for kind in ("file", "sqlite"):
        if kind == "file":
            uri, root = (out / "mlruns").as_uri(), None
        else:
            uri, root = "sqlite:///" + str(out / "mlflow.db"), out / "artifacts"
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        # Some calls about models ask the global one.
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        ids = doc["ids"][kind] = write(client, root, out)
        if kind == "file":
            path = out / "mlruns" / ids["experiments"]["alpha"] / ids["runs"]["child1"] / "metrics" / "legacy"
            path.write_text("".join(f"{t} {v}\n" for t, _, v in LEGACY))
        doc[kind] = check_export.dump(client)
    print(json.dumps(doc, allow_nan=False, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
