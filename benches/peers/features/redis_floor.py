"""Redis loopback floor from Python (hiredis): packed-row MGET vs Feast-like HMGET per field. client CPU and min/p50 wall."""
from common import *
import redis, numpy as np
r = redis.Redis.from_url("redis://" + os.environ.get("BENCH_REDIS", "127.0.0.1:6399")); rng = np.random.default_rng(5)
for nf in (10, 50):
    p = r.pipeline(transaction=False)
    for k in range(10_000): p.set(f"pf:{nf}:{k}", rng.random(nf).tobytes()); p.hset(f"ph:{nf}:{k}", mapping={f"f{i}": rng.random(1).tobytes() for i in range(nf)})
    p.execute()
    for ne in (1, 10, 100):
        ks = rng.integers(0, 10_000, (600, ne))
        for name in ("MGET packed row", "pipelined HMGET per feature"):
            lat = []; c0 = time.process_time_ns()
            for row in ks:
                a = time.perf_counter_ns()
                if name[0] == "M": v = r.mget([f"pf:{nf}:{k}" for k in row]); x = np.frombuffer(b"".join(v)).reshape(ne, nf)
                else:
                    q = r.pipeline(transaction=False); fs = [f"f{i}" for i in range(nf)]
                    for k in row: q.hmget(f"ph:{nf}:{k}", fs)
                    v = q.execute(); x = np.frombuffer(b"".join(b"".join(z) for z in v)).reshape(ne, nf)
                lat.append(time.perf_counter_ns() - a)
            emit(bench="online_floor", engine="python redis-py+hiredis " + name, entities=ne, features=nf, cpu_us_per_call=round((time.process_time_ns() - c0) / len(ks) / 1000, 1), min_us=round(min(lat) / 1000, 1), **pcts(lat))
