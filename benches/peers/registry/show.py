"""Prints JSON lines of figures as one table: ours, MLflow's, how many times ours that is, and the aim (! where it is missed).

Searches are of populations of different sizes: `models=` says how large."""
import json, sys

figures = {}
for name in sys.argv[1:]:
    for line in open(name):
        try:
            r = json.loads(line)
        except ValueError:
            continue
        figures.setdefault(r["op"], {})[r["peer"]] = r

cpu = lambda r: r["cpu_s"] / r["n"] * 1e6
SHOWN = {"peer", "version", "backend", "op", "n", "cpu_s", "wall_s", "unit", "units_per_s", "us_per_unit", "cpu_us_per_unit", "load1", "aim_us", "aim_mib_per_cpu_s", "rounds", "max_us"}
print(f"{'CPU time an operation':<36}{'ours':>14}{'MLflow':>14}{'ratio':>8}{'aim':>14}")
for op, by in figures.items():
    ours, theirs = by.get("mlops"), by.get("mlflow")
    verdict = ""
    if ours and "aim_us" in ours:
        verdict = f"{ours['aim_us']:,} us" + ("" if cpu(ours) <= ours["aim_us"] else " !")
    elif ours and "aim_mib_per_cpu_s" in ours:
        verdict = f"{ours['aim_mib_per_cpu_s']} MiB/s" + ("" if ours["mib_per_cpu_s"] >= ours["aim_mib_per_cpu_s"] else " !")
    cell = lambda r: f"{cpu(r):,.1f} us" if r else ""
    ratio = f"{cpu(theirs) / cpu(ours):,.0f}x" if ours and theirs else ""
    print(f"{op:<36}{cell(ours):>14}{cell(theirs):>14}{ratio:>8}{verdict:>14}")
    for r in filter(None, (ours, theirs)):
        more = " ".join(f"{k}={v}" for k, v in r.items() if k not in SHOWN)
        print(f"    {r['peer']}: {more}") if more else None
