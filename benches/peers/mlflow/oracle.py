#!/usr/bin/env python3
r"""Differential-test server: the real MlflowClient on a fresh SQLite store.

    python oracle.py [--template FILE] [--store sqlite|file]

One JSON object per line on stdin, one JSON object per line on stdout, in order;
commands may be written ahead (pipelined). Nothing else is ever printed on stdout
(MLflow's chatter goes to stderr). Ends at end of input or after {"cmd": "quit"}.

First line from the server, before any command:
    {"ready": true, "mlflow": "3.17.2", "store": "sqlite", "startup_s": 2.9}

Request:  {"cmd": NAME, ...arguments by name...}; an "id" member is echoed.
Reply:    {"ok": RESULT} or {"error": MESSAGE, "code": MLFLOW_ERROR_CODE}.
          (Both with "id" if the request had one. A request that is not a JSON object
          or has an unknown "cmd" or argument gets code "PROTOCOL".)

Handles: "run" and "experiment" arguments take MLflow's id, or a handle given before
with "as" in create_run / create_experiment; a handle shadows nothing else. With
"as" a client can write a whole scenario without waiting for ids.

Floats: non-finite ones travel as "NaN", "Infinity", "-Infinity", both ways.
Times are integer milliseconds. All texts are UTF-8; \u escapes may be used.

Commands (arguments with = are optional):
  reset                                    -> null; back to the empty store, all
                                              handles forgotten; ~ms, so use it
                                              between scenarios instead of a new process
  create_experiment  name, as=, tags={}    -> experiment id (text)
  delete_experiment / restore_experiment   experiment -> null
  create_run         experiment="0", run_name=, start_time=, tags={}, as=
                                           -> {"run_id", "run_name"}
                     user_id is taken from the tag mlflow.user, else "unknown";
                     without run_name MLflow draws a random one
  log_metric         run, key, value, timestamp=, step=0            -> null
  log_batch          run, metrics=[[key, value, timestamp, step], ...],
                     params=[[key, value], ...], tags=[[key, value], ...] -> null
  log_param          run, key, value       -> null
  set_tag / delete_tag  run, key, (value)  -> null
  log_inputs         run, datasets=[{"name", "digest", "source_type"="local", "source"="{}",
                     "schema"=, "profile"=, "tags"={}}, ...]        -> null
  set_terminated     run, status="FINISHED", end_time=              -> null
  delete_run / restore_run  run            -> null
  search_runs        experiments=["0"], filter="", order_by=[], max_results=1000,
                     view="ACTIVE_ONLY"|"DELETED_ONLY"|"ALL", page_token=
                                           -> {"names": [...], "ids": [...], "next": token|null}
  get_run            run -> {"run_id", "run_name", "experiment_id", "status", "lifecycle_stage",
                     "user_id", "start_time", "end_time", "params", "tags", "metrics"}
                     metrics: {key: [value, timestamp, step]} = the latest of each key
  get_metric_history run, key              -> [[timestamp, step, value], ...] in MLflow's order
  ping                                     -> null
  quit                                     -> null, then the process exits 0

Notes
  * create_run adds the tag mlflow.runName; experiment "0" ("Default") always exists.
  * Store settings: PRAGMA synchronous=OFF, journal_mode=MEMORY - the answers are the
    same, the disk is spared. The store lives in a temporary folder, removed at exit.
  * --template FILE: a migrated empty store kept between processes (made if missing;
    one file per MLflow version), which saves most of the start-up time.
  * --store file: MLflow's file store instead, for comparing it with SQL.
"""
import argparse
import json
import logging
import os
import shutil
import sqlite3
import sys
import tempfile
import time
import warnings

T_START = time.time()
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"

OUT = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
os.dup2(2, 1)  # whatever prints to stdout goes to stderr
sys.stdin.reconfigure(encoding="utf-8")

import mlflow  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import (  # noqa: E402
    Dataset,
    DatasetInput,
    InputTag,
    Metric,
    Param,
    RunTag,
    ViewType,
)
from mlflow.exceptions import MlflowException  # noqa: E402

warnings.simplefilter("ignore")


class Protocol(Exception):
    pass


def to_float(x):
    if isinstance(x, str):
        if x not in ("NaN", "Infinity", "-Infinity"):
            raise Protocol(f"not a number: {x!r}")
        return float(x)
    if isinstance(x, bool) or not isinstance(x, (int, float)):
        raise Protocol(f"not a number: {x!r}")
    return float(x)


def from_float(x):
    x = float(x)
    if x != x:
        return "NaN"
    if x in (float("inf"), float("-inf")):
        return "Infinity" if x > 0 else "-Infinity"
    return x


class Oracle:
    def __init__(self, work, store, template):
        self.work, self.store = work, store
        self.n = 0
        self.handles = {}
        self.db = os.path.join(work, "mlflow.db")
        if store == "sqlite":
            import sqlalchemy
            from sqlalchemy import event

            @event.listens_for(sqlalchemy.engine.Engine, "connect")
            def fast(conn, _record):
                conn.execute("PRAGMA synchronous=OFF")
                conn.execute("PRAGMA journal_mode=MEMORY")

            if template and os.path.exists(template):
                shutil.copyfile(template, self.db)
            uri = "sqlite:///" + self.db
            self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            self.client.search_experiments()
            # Page image of the empty store; `reset` writes it back through sqlite3.
            self.pristine = sqlite3.connect(":memory:")
            src = sqlite3.connect(self.db)
            src.backup(self.pristine)
            src.close()
            if template and not os.path.exists(template):
                part = f"{template}.{os.getpid()}"
                shutil.copyfile(self.db, part)
                os.replace(part, template)
        else:
            self.fresh_files()

    def fresh_files(self):
        self.n += 1
        uri = "file://" + os.path.join(self.work, f"mlruns{self.n}")
        self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self.client.search_experiments()

    def of(self, x):
        if not isinstance(x, str):
            raise Protocol(f"an id or handle is text, got {x!r}")
        return self.handles.get(x, x)

    # -- commands ---------------------------------------------------------
    def ping(self):
        return None

    def reset(self):
        self.handles.clear()
        if self.store == "file":
            self.fresh_files()
            return
        live = sqlite3.connect(self.db)
        live.execute("PRAGMA synchronous=OFF")
        self.pristine.backup(live)
        live.close()

    def create_experiment(self, name, tags=None, **kw):
        handle = kw.pop("as", None)
        if kw:
            raise Protocol(f"unknown argument {sorted(kw)}")
        eid = self.client.create_experiment(
            name, artifact_location="file://" + os.path.join(self.work, "artifacts"), tags=tags or None
        )
        if handle is not None:
            self.handles[handle] = eid
        return eid

    def delete_experiment(self, experiment):
        self.client.delete_experiment(self.of(experiment))

    def restore_experiment(self, experiment):
        self.client.restore_experiment(self.of(experiment))

    def create_run(self, experiment="0", run_name=None, start_time=None, tags=None, **kw):
        handle = kw.pop("as", None)
        if kw:
            raise Protocol(f"unknown argument {sorted(kw)}")
        run = self.client.create_run(
            self.of(experiment), start_time=start_time, tags=tags or None, run_name=run_name
        )
        if handle is not None:
            self.handles[handle] = run.info.run_id
        return {"run_id": run.info.run_id, "run_name": run.info.run_name}

    def log_metric(self, run, key, value, timestamp=None, step=0):
        self.client.log_metric(self.of(run), key, to_float(value), timestamp=timestamp, step=step)

    def log_batch(self, run, metrics=(), params=(), tags=()):
        self.client.log_batch(
            self.of(run),
            metrics=[Metric(k, to_float(v), t, s) for k, v, t, s in metrics],
            params=[Param(k, v) for k, v in params],
            tags=[RunTag(k, v) for k, v in tags],
        )

    def log_param(self, run, key, value):
        self.client.log_param(self.of(run), key, value)

    def set_tag(self, run, key, value):
        self.client.set_tag(self.of(run), key, value)

    def delete_tag(self, run, key):
        self.client.delete_tag(self.of(run), key)

    def log_inputs(self, run, datasets):
        self.client.log_inputs(
            self.of(run),
            [
                DatasetInput(
                    Dataset(
                        d["name"],
                        d["digest"],
                        d.get("source_type", "local"),
                        d.get("source", "{}"),
                        d.get("schema"),
                        d.get("profile"),
                    ),
                    [InputTag(k, v) for k, v in d.get("tags", {}).items()],
                )
                for d in datasets
            ],
        )

    def set_terminated(self, run, status="FINISHED", end_time=None):
        self.client.set_terminated(self.of(run), status, end_time)

    def delete_run(self, run):
        self.client.delete_run(self.of(run))

    def restore_run(self, run):
        self.client.restore_run(self.of(run))

    def search_runs(
        self, experiments=("0",), filter="", order_by=(), max_results=1000, view="ACTIVE_ONLY", page_token=None
    ):
        if view not in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL"):
            raise Protocol(f"unknown view {view!r}")
        page = self.client.search_runs(
            [self.of(e) for e in experiments],
            filter,
            getattr(ViewType, view),
            max_results,
            list(order_by),
            page_token,
        )
        return {
            "names": [r.info.run_name for r in page],
            "ids": [r.info.run_id for r in page],
            "next": page.token.decode() if isinstance(page.token, bytes) else page.token or None,
        }

    def get_run(self, run):
        r = self.client.get_run(self.of(run))
        # `_metric_objs` is the only place where the latest points keep time and step.
        return {
            "run_id": r.info.run_id,
            "run_name": r.info.run_name,
            "experiment_id": r.info.experiment_id,
            "status": r.info.status,
            "lifecycle_stage": r.info.lifecycle_stage,
            "user_id": r.info.user_id,
            "start_time": r.info.start_time,
            "end_time": r.info.end_time,
            "params": r.data.params,
            "tags": r.data.tags,
            "metrics": {m.key: [from_float(m.value), m.timestamp, m.step] for m in r.data._metric_objs},
        }

    def get_metric_history(self, run, key):
        return [
            [m.timestamp, m.step, from_float(m.value)]
            for m in self.client.get_metric_history(self.of(run), key)
        ]


COMMANDS = {
    n for n in vars(Oracle) if not n.startswith("_") and n not in ("fresh_files", "of")
}


def answer(oracle, line):
    reply = {}
    try:
        try:
            req = json.loads(line)
        except ValueError as e:
            raise Protocol(f"not JSON: {e}") from None
        if not isinstance(req, dict):
            raise Protocol("a request is a JSON object")
        if "id" in req:
            reply["id"] = req.pop("id")
        cmd = req.pop("cmd", None)
        if cmd == "quit":
            return {**reply, "ok": None}, True
        if cmd not in COMMANDS:
            raise Protocol(f"unknown cmd {cmd!r}")
        try:
            reply["ok"] = getattr(oracle, cmd)(**req)
        except TypeError as e:
            if f"{cmd}()" in str(e):  # wrong argument names
                raise Protocol(str(e)) from None
            raise
    except Protocol as e:
        reply.update(error=str(e), code="PROTOCOL")
    except MlflowException as e:
        reply.update(error=str(e), code=e.error_code)
    except Exception as e:  # noqa: BLE001 - MLflow leaks other errors for odd input
        reply.update(error=f"{type(e).__name__}: {e}", code="PYTHON")
    return reply, False


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--template")
    ap.add_argument("--store", choices=("sqlite", "file"), default="sqlite")
    args = ap.parse_args()

    def send(x):
        OUT.write(json.dumps(x, allow_nan=False) + "\n")
        OUT.flush()

    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    home = os.getcwd()
    template = os.path.abspath(args.template) if args.template else None
    work = tempfile.mkdtemp(prefix="mlflow_oracle")
    try:
        os.chdir(work)  # the default experiment's artifacts go there
        oracle = Oracle(work, args.store, template)
        send(
            {
                "ready": True,
                "mlflow": mlflow.__version__,
                "store": args.store,
                "startup_s": round(time.time() - T_START, 3),
            }
        )
        for line in sys.stdin:
            if not line.strip():
                continue
            reply, done = answer(oracle, line)
            send(reply)
            if done:
                break
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    finally:
        os.chdir(home)
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
