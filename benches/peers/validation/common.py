"""What the peers share: the suite's constants, clocks, rounds, one JSON line a figure.

usage of every peer: python PEER.py ROWS memory|files|footers [ROUNDS]

The data is in DATA, made by `cargo bench --bench validation -- data --dir DATA`. A peer that counts anything else than what is
known to be wrong with the table says so in its line (`differs`), and the table of figures shows it. One thread."""
import gc, json, os, resource, sys, time

for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "ARROW_NUM_THREADS"):
    os.environ.setdefault(name, "1")

DATA = os.environ["DATA"]
N = int(sys.argv[1])
ORDERS, CUSTOMERS = f"{DATA}/orders_{N}.parquet", f"{DATA}/customers.parquet"
TRUTH = json.load(open(f"{DATA}/truth_{N}.json"))
WRONG = TRUTH["violations"]
CHECKS = ["nn_order_id", "nn_customer_id", "nn_sku", "uniq_order_id", "rng_quantity", "rng_price", "rng_discount", "set_status", "re_email", "cross_ship", "fk_customer", "sum_total"]
assert set(CHECKS) == set(WRONG)
LOW, HIGH = TRUTH["sum_total"] * (1 - 1e-9), TRUTH["sum_total"] * (1 + 1e-9)
STATUS = ["new", "paid", "packed", "shipped", "delivered", "returned"]
EMAIL = r"^u[0-9]+@[a-z0-9.]+\.[a-z]{2,3}$"


def memory_mb(field):
    for line in open("/proc/self/status"):
        if line.startswith(field):
            return int(line.split()[1]) / 1024


def reset_peak():
    try:
        open("/proc/self/clear_refs", "w").write("5")
        return True
    except OSError:
        return False


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(peer, version, load, run, run_files=None, footers=None, **more):
    """`load()` reads the tables into memory, `run(tables)` judges them; `run_files()` does both its own way. All answer with the
    number of failing rows by check."""
    mode, count = sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 3
    if mode == "memory":
        tables = load()
        work = lambda: run(tables)
    elif mode == "files":
        work = run_files or (lambda: run(load()))
    else:
        work = footers
    gc.collect()
    known = reset_peak()
    before, rounds, found = memory_mb("VmRSS"), [], None
    for _ in range(count):
        gc.collect()
        wall, used = time.perf_counter(), cpu()
        found = work()
        rounds.append((cpu() - used, time.perf_counter() - wall))
    rounds.sort()
    least, (median, wall) = rounds[0][0], rounds[len(rounds) // 2]
    expected = WRONG if mode != "footers" else {check: 0 for check in found}
    differs = {check: found.get(check) for check in expected if found.get(check) != expected[check] and check not in more.get("without", [])}
    op = "footers" if mode == "footers" else f"suite:{mode}"
    line = dict(peer=peer, version=version, backend="python", op=op, n=N, rows=N, threads=1, rounds=count, cpu_s=round(median, 6), cpu_min_s=round(least, 6), wall_s=round(wall, 6),
                cpu_us_per_unit=round(median / N * 1e6, 4), before_mb=round(before, 1), peak_over_input_mb=round(memory_mb("VmHWM") - before, 1) if known else None,
                load1=os.getloadavg()[0], differs=differs, **more)
    print(json.dumps(line), flush=True)
