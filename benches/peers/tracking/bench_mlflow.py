#!/usr/bin/env python
"""MLflow peer figures.  One JSON line per figure.

usage: taskset -c 0 python bench_mlflow.py --backend sqlite|file|rest [--ops all|a,b,..] [--runs 1000] [--dir D] [--uri U]
REST: start `mlflow server` yourself (see run_all.sh) and pass --uri http://127.0.0.1:PORT
"""
import os, sys, time
T_START = time.perf_counter()
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
import argparse, logging, random, shutil, tempfile, warnings
warnings.filterwarnings("ignore")
from common import *

p = argparse.ArgumentParser()
p.add_argument("--backend", choices=["sqlite", "file", "rest"], required=True)
p.add_argument("--uri")
p.add_argument("--dir")
p.add_argument("--ops", default="all")
p.add_argument("--runs", default="1000")          # comma list of run-table sizes for search
p.add_argument("--singles", type=int, default=2000)
p.add_argument("--history", type=int, default=100_000)
p.add_argument("--seed", choices=["api", "sql"], default="api")  # sql: insert the run table with sqlite3 directly (sqlite only), so that only search is timed
p.add_argument("--db")                                            # path of the sqlite file behind --uri, for --seed sql with --backend rest
a = p.parse_args()

t0 = time.perf_counter(); c0 = time.process_time()
import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
imp = dict(wall_s=time.perf_counter() - t0, cpu_s=time.process_time() - c0)
logging.getLogger("mlflow").setLevel(logging.ERROR)
logging.getLogger("alembic").setLevel(logging.ERROR)
V = mlflow.__version__
B = a.backend
d = a.dir or tempfile.mkdtemp(prefix=f"bench_mlflow_{B}_", dir=os.environ.get("BENCH_TMP", "peers-tmp"))
os.makedirs(d, exist_ok=True)
db = os.path.join(d, "m.db")
uri = a.uri or {"sqlite": f"sqlite:///{db}", "file": f"file://{d}/mlruns"}.get(B)
want = lambda o: a.ops == "all" or o in a.ops.split(",")
F = lambda op, n, r, **k: figure("mlflow", V, B, op, n, r, **k)

if want("startup"):
    F("import", 1, imp, rss_mb=rss_mb())

mlflow.set_tracking_uri(uri)
with timed() as r:
    client = MlflowClient()
    exp = client.get_experiment_by_name("bench")
    eid = exp.experiment_id if exp else client.create_experiment("bench", artifact_location=f"file://{d}/art")
if want("startup"):
    F("open_fresh_store+create_experiment", 1, r, rss_mb=rss_mb())

now = lambda: int(time.time() * 1000)

# ---- 1. log_metric, single calls -------------------------------------------------------
if want("log_metric"):
    N = a.singles
    run = client.create_run(eid); rid = run.info.run_id
    for i in range(50): client.log_metric(rid, "warm", float(i), step=i)
    lat = []
    with timed() as r:
        for i in range(N):
            s = time.perf_counter(); client.log_metric(rid, "loss", 1.0 / (i + 1), step=i); lat.append(time.perf_counter() - s)
    F("log_metric_single(client)", N, r, extrapolated_100k_s=round(r["wall_s"] / N * 1e5, 1), **percentiles(lat))
    mlflow.set_experiment(experiment_id=eid)
    with mlflow.start_run():
        with timed() as r:
            for i in range(N): mlflow.log_metric("loss", 1.0 / (i + 1), step=i)
        F("log_metric_single(fluent)", N, r, extrapolated_100k_s=round(r["wall_s"] / N * 1e5, 1))
        with timed() as r:
            for i in range(N // 4): mlflow.log_metrics({f"m{k}": i * .1 for k in range(10)}, step=i)
        F("log_metrics_10keys(fluent)", N // 4 * 10, r, unit="metric")

if want("log_metric_async"):
    N = a.singles
    mlflow.set_experiment(experiment_id=eid)
    with mlflow.start_run():
        with timed() as r:
            for i in range(N): mlflow.log_metric("loss", 1.0 / (i + 1), step=i, synchronous=False)
        F("log_metric_async_enqueue", N, r)
        with timed() as r2: mlflow.flush_async_logging()
        r["wall_s"] += r2["wall_s"]; r["cpu_s"] += r2["cpu_s"]
        F("log_metric_async_enqueue+flush", N, r, extrapolated_100k_s=round(r["wall_s"] / N * 1e5, 1))

# ---- 2. log_batch 1000 metrics x 100; 5. get_metric_history of 100k points ---------------
if want("log_batch") or want("history"):
    run = client.create_run(eid); rid = run.info.run_id
    nb = a.history // 1000
    ts = now()
    batches = [[Metric("loss", random.random(), ts + b * 1000 + i, b * 1000 + i) for i in range(1000)] for b in range(nb)]
    size0 = du(db if B == "sqlite" else d)
    lat = []
    with timed() as r:
        for m in batches:
            s = time.perf_counter(); client.log_batch(rid, metrics=m); lat.append(time.perf_counter() - s)
    F("log_batch_1000x%d_same_key" % nb, nb * 1000, r, unit="metric", bytes_per_point=round((du(db if B == "sqlite" else d) - size0) / (nb * 1000), 1), **percentiles(lat))
    r, h = best_of(3, lambda: client.get_metric_history(rid, "loss"))
    assert len(h) == nb * 1000, len(h)
    F("get_metric_history_%d" % (nb * 1000), nb * 1000, r, unit="point")
    r, _ = best_of(20, lambda: client.get_run(rid)); F("get_run_with_%d_point_metric" % (nb * 1000), 1, r)
    run2 = client.create_run(eid).info.run_id
    b2 = [[Metric(f"k{i}", random.random(), ts + b, b) for i in range(1000)] for b in range(10)]
    with timed() as r:
        for m in b2: client.log_batch(run2, metrics=m)
    F("log_batch_1000x10_distinct_keys", 10000, r, unit="metric")

# ---- 3. create runs + search ---------------------------------------------------------
if want("search"):
    rnd = random.Random(0)
    for nruns in [int(x) for x in a.runs.split(",")]:
        name = f"search{nruns}"
        e = client.get_experiment_by_name(name)
        sid = e.experiment_id if e else client.create_experiment(name, artifact_location=f"file://{d}/art_{name}")
        if not e and a.seed == "sql":
            import sqlite3, uuid
            c = sqlite3.connect(a.db or db, timeout=60); t = now()
            for i in range(nruns):
                u = uuid.uuid4().hex
                c.execute("insert into runs(run_uuid,name,source_type,source_name,entry_point_name,user_id,status,start_time,end_time,source_version,lifecycle_stage,artifact_uri,experiment_id) values(?,?,'UNKNOWN','','','u','FINISHED',?,?,'','active',?,?)", (u, f"r{i}", t + i, t + i + 5, f"file:///x/{u}", int(sid)))
                mets = [("acc", rnd.random())] + [(f"m{k}", rnd.random()) for k in range(9)]
                c.executemany("insert into metrics(key,value,timestamp,run_uuid,step,is_nan) values(?,?,?,?,0,0)", [(k, v, t, u) for k, v in mets])
                c.executemany("insert into latest_metrics(key,value,timestamp,step,is_nan,run_uuid) values(?,?,?,0,0,?)", [(k, v, t, u) for k, v in mets])
                c.executemany("insert into params(key,value,run_uuid) values(?,?,?)", [("lr", str(10 ** -(i % 5)), u)] + [(f"p{k}", str(i * k), u) for k in range(9)])
                c.executemany("insert into tags(key,value,run_uuid) values(?,?,?)", [("mlflow.runName", f"r{i}", u), ("team", f"t{i % 7}", u)] + [(f"tag{k}", f"v{i % 11}", u) for k in range(3)])
            c.commit(); c.close()
        elif not e:
            with timed() as r:
                for i in range(nruns):
                    x = client.create_run(sid, run_name=f"r{i}", tags={"team": f"t{i % 7}"})
                    client.log_batch(x.info.run_id,
                        metrics=[Metric("acc", rnd.random(), now(), 0)] + [Metric(f"m{k}", rnd.random(), now(), 0) for k in range(9)],
                        params=[Param("lr", str(10 ** -(i % 5)))] + [Param(f"p{k}", str(i * k)) for k in range(9)],
                        tags=[RunTag(f"tag{k}", f"v{i % 11}") for k in range(3)])
                    client.set_terminated(x.info.run_id)
            F("create_run(10m,10p,4t)+finish", nruns, r, unit="run", bytes_per_run=round(du(db if B == "sqlite" else d) / nruns))
        q = lambda f, o, m=100: (lambda: client.search_runs([sid], filter_string=f, order_by=o, max_results=m))
        r, out = best_of(int(os.environ.get("BENCH_BEST_OF", "3")), q("metrics.acc > 0.5", ["metrics.acc DESC"])); F(f"search_{nruns}:metric>0.5 order desc limit100", 1, r, rows=len(out))
        r, out = best_of(3, q("metrics.acc > 0.5 and params.lr = '0.1' and tags.tag0 = 'v3'", ["metrics.acc DESC"])); F(f"search_{nruns}:metric+param+tag order limit100", 1, r, rows=len(out))
        r, out = best_of(3, q("", None)); F(f"search_{nruns}:no filter limit100", 1, r, rows=len(out))
        r, out = best_of(3, q("metrics.acc > 0.999", ["metrics.acc DESC"], 1)); F(f"search_{nruns}:best run limit1", 1, r, rows=len(out))
        def page_all():
            tok = None; n = 0
            while True:
                out = client.search_runs([sid], "metrics.acc > 0.5", order_by=["metrics.acc DESC"], max_results=1000, page_token=tok)
                n += len(out); tok = out.token
                if not tok: return n
        r, n = best_of(1, page_all); F(f"search_{nruns}:page all matches 1000/page", max(n, 1), r, unit="row")

# ---- 4. registry -----------------------------------------------------------------------
if want("registry"):
    N = 100
    nm = f"model{int(time.time())}"
    rid = client.create_run(eid).info.run_id
    with timed() as r: client.create_registered_model(nm)
    F("create_registered_model", 1, r)
    src = f"file://{d}/art/{rid}/artifacts/model"
    os.makedirs(src[7:], exist_ok=True)
    with timed() as r:
        for i in range(N): client.create_model_version(nm, source=src, run_id=rid)
    F("create_model_version", N, r)
    with timed() as r:
        for i in range(N): client.set_registered_model_alias(nm, "champion", str(i + 1))
    F("set_alias", N, r)
    with timed() as r:
        for i in range(N): client.get_model_version_by_alias(nm, "champion")
    F("get_by_alias", N, r)
    with timed() as r:
        for i in range(N): client.transition_model_version_stage(nm, str(i + 1), "Production", archive_existing_versions=True)
    F("transition_stage_archive_existing", N, r)
    r, out = best_of(3, lambda: client.search_model_versions(f"name='{nm}'", max_results=1000)); F("search_model_versions_100", len(out), r, unit="row")

if not a.dir:
    shutil.rmtree(d, ignore_errors=True)
