#!/usr/bin/env python
"""MLflow's model registry on SQLite: one JSON line a figure, with the names that ours have (benches/registry.rs).

usage: taskset -c 0 python bench_mlflow.py [--ops N] [--models N] [--versions N] [--mib N] [--only a,b]

1,000 models with 5 versions each are searched, not 10,000 with 10: making those would take a quarter of an hour.
"""
import os, sys
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
import argparse, logging, shutil, tempfile, warnings
warnings.filterwarnings("ignore")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tracking"))
from common import figure, percentiles, timed

p = argparse.ArgumentParser()
p.add_argument("--ops", type=int, default=200)
p.add_argument("--models", type=int, default=1000)
p.add_argument("--versions", type=int, default=5)
p.add_argument("--mib", type=int, default=256)
p.add_argument("--only", default="register,resolve,promotion,search,files,load")
a = p.parse_args()

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

for name in ("mlflow", "alembic"):
    logging.getLogger(name).setLevel(logging.ERROR)
V = mlflow.__version__
directory = tempfile.mkdtemp(prefix="bench_registry_", dir=os.environ.get("BENCH_TMP"))
mlflow.set_tracking_uri(f"sqlite:///{directory}/m.db")
client = MlflowClient()
experiment = client.create_experiment("bench", artifact_location=f"file://{directory}/art")

ROUNDS = 5
want = lambda name: name in a.only.split(",")
F = lambda op, n, r, **more: figure("mlflow", V, "sqlite", op, n, r, **more)

def laps(op, work, count=None, **more):
    """Calls `work(0)`, `work(1)`, … and prints the round with the median CPU time, as benches/harness does."""
    count = count or a.ops
    size = max(1, count // ROUNDS)
    rounds, walls = [], []
    for first in range(0, size * min(ROUNDS, count), size):
        total = dict(wall_s=0.0, cpu_s=0.0)
        for i in range(first, first + size):
            with timed() as r: work(i)
            walls.append(r["wall_s"])
            for k in total: total[k] += r[k]
        rounds.append(total)
    rounds.sort(key=lambda r: r["cpu_s"])
    F(op, size, rounds[len(rounds) // 2], rounds=len(rounds), **percentiles(walls), **more)

def median(op, work, rounds=ROUNDS, **more):
    """Prints the round with the median CPU time; `work` may return facts to print."""
    all = []
    for _ in range(rounds):
        with timed() as r: facts = work()
        all.append((r["cpu_s"], r, facts))
    all.sort(key=lambda x: x[0])
    _, r, facts = all[rounds // 2]
    more.update(facts or {})
    if "mib" in more:
        more["mib_per_cpu_s"] = round(more["mib"] / r["cpu_s"])
        more["mib_per_wall_s"] = round(more["mib"] / r["wall_s"])
    F(op, 1, r, **more)

run = client.create_run(experiment).info.run_id
client.log_batch(run, metrics=[Metric(f"m{k}", .1 * k, 0, 0) for k in range(10)], params=[Param(f"p{k}", str(k)) for k in range(10)])
source = f"file://{directory}/art/{run}/artifacts/model"
os.makedirs(source[7:])
# A version has no metrics, params or signature of its own: tags are where they would be said, files where a signature is.
facts = {f"m{k}": str(.1 * k) for k in range(10)} | {f"p{k}": str(k) for k in range(10)}

if want("register"):
    client.create_registered_model("churn")
    laps("register", lambda i: client.create_model_version("churn", source=source, run_id=run, tags=facts), shape="20 tags, source run; nothing is read or hashed")
    client.create_registered_model("bare")
    laps("register:trait", lambda i: client.create_model_version("bare", source=source, run_id=run), shape="source run only")

if want("resolve"):
    client.create_registered_model("resolve")
    for _ in range(5): client.create_model_version("resolve", source=source, run_id=run, tags=facts)
    client.set_registered_model_alias("resolve", "champion", "5")
    client.transition_model_version_stage("resolve", "4", "Production")
    laps("resolve_alias", lambda i: client.get_model_version_by_alias("resolve", "champion"), how="get_model_version_by_alias: the whole version")
    laps("resolve_stage", lambda i: client.get_latest_versions("resolve", ["Production"]), how="get_latest_versions: the whole version")
    laps("version_by_alias", lambda i: client.get_model_version_by_alias("resolve", "champion"))
    laps("version_by_number", lambda i: client.get_model_version("resolve", "3"))
    laps("set_alias", lambda i: client.set_registered_model_alias("resolve", "blue", str(i % 2 + 1)))

if want("promotion"):
    client.create_registered_model("promotion")
    for _ in range(20): client.create_model_version("promotion", source=source, run_id=run, tags=facts)
    stage = lambda i: client.transition_model_version_stage("promotion", str(i % 20 + 1), "Production", archive_existing_versions=True)
    laps("promote", stage, gates=0, approvals=0, moves=2)
    # There is no way back but to name the version before oneself.
    laps("rollback", lambda i: client.transition_model_version_stage("promotion", str(19 - i % 19), "Production", archive_existing_versions=True), how="the same call")

def pages(op, ask):
    """The first page of 100, and the one in the middle of all."""
    describe = lambda n: lambda page: dict(models=a.models, page=n, rows=len(page))
    median(f"search:{op}", lambda: describe(1)(ask(None)), rounds=3)
    tokens, token = [], ask(None).token
    while token:
        tokens.append(token)
        token = ask(token).token
    if tokens:
        middle = len(tokens) // 2
        median(f"search:{op}:middle", lambda: describe(middle + 2)(ask(tokens[middle])), rounds=3)

if want("search"):
    with timed() as r:
        for n in range(a.models):
            name = f"search-{n:05}"
            client.create_registered_model(name, tags={"team": f"t{n % 10}", "tier": str(n % 3)})
            for i in range(a.versions): client.create_model_version(name, source=source, run_id=run, tags={"git": f"{n * a.versions + i:08x}"})
            if n % 2 == 0: client.set_registered_model_alias(name, "champion", str(a.versions))
    F("populate", a.models * a.versions, r, models=a.models, seconds=round(r["wall_s"]))
    models = lambda filter, order=None: lambda t: client.search_registered_models(filter, max_results=100, order_by=order, page_token=t)
    versions = lambda filter, order=None: lambda t: client.search_model_versions(filter, max_results=100, order_by=order, page_token=t)
    pages("models_by_name", models("", ["name ASC"]))
    pages("models_by_tag", models("tags.team = 't3'"))
    pages("versions_of_one_model", versions(f"name = 'search-{a.models // 2:05}'"))
    pages("versions_by_run", versions(f"run_id = '{run}'"))
    pages("versions_no_filter", versions(""))
    # Its grammar knows no alias, no stage, and metrics only of its own "logged models".

def noise(path, mib):
    with open(path, "wb") as f:
        for _ in range(mib): f.write(os.urandom(1 << 20))
        f.flush(); os.fsync(f.fileno())

def files(op_in, op_out, mib):
    path, out = f"{directory}/model.bin", f"{directory}/out"
    noise(path, mib)
    last = {}
    def put():
        last["run"] = client.create_run(experiment).info.run_id
        client.log_artifact(last["run"], path, "model")
    def get():
        client.download_artifacts(last["run"], "model", out)
        shutil.rmtree(out); os.mkdir(out)
    os.mkdir(out)
    median(op_in, put, mib=mib, digest="none", synced=False)
    median(op_out, get, mib=mib, verified=False)
    os.remove(path); shutil.rmtree(out); shutil.rmtree(f"{directory}/art", ignore_errors=True)

if want("files"): files("register_file", "download_file", a.mib)
# There is no cache: each load copies the files again.
if want("load"): files("load:logged", "load:cached", max(1, a.mib // 4))

shutil.rmtree(directory, ignore_errors=True)
