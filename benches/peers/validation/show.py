"""Prints JSON lines of figures as tables: the suite side by side with the peers', then ours with the aims (! where one is missed)."""
import json, sys

lines = []
for name in sys.argv[1:]:
    for line in open(name):
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue

sizes = sorted({r["rows"] for r in lines if r["op"] == "suite:memory"})
at = {(r["peer"], r["op"], r["rows"]): r for r in lines if "rows" in r}
size = lambda n: f"{n // 10**6}M" if n % 10**6 == 0 else f"{n:,}"
columns = [(f"{size(n)} {how}", f"suite:{how}", n) for how in ("memory", "files") for n in sizes]
peers = list(dict.fromkeys(r["peer"] for r in lines))

print("The suite, one thread, CPU seconds, least of the rounds (how many times ours); peak MB over the input")
print(f"{'':<30}" + "".join(f"{head:>30}" for head, *_ in columns))
for peer in peers:
    cells = []
    for _, op, n in columns:
        r, mine = at.get((peer, op, n)), at.get(("mlops", op, n))
        if r is None or "cpu_min_s" not in r:
            cells.append("missing" if r else "–")
            continue
        ratio = f" ({r['cpu_min_s'] / mine['cpu_min_s']:.1f}x)" if mine and peer != "mlops" else ""
        peak = r.get("peak_over_input_mb") or at.get((peer, "peak:" + op.removeprefix("suite:") + ":suite", n), {}).get("peak_over_input_mb")
        wrong = " WRONG" if r.get("differs") else ""
        aim = " !" if r.get("aim_s") and r["cpu_min_s"] > r["aim_s"] else ""
        cells.append(f"{r['cpu_min_s']:.3f}{ratio}{aim}{wrong}" + (f" {peak:,.0f} MB" if peak else ""))
    if any(cell != "–" for cell in cells):
        print(f"{peer:<30}" + "".join(f"{cell:>30}" for cell in cells))

print()
print(f"{'ours, and what is like it':<40}{'rows':>8}{'least':>14}{'median':>14}  aim and facts")
SHOWN = {"peer", "version", "backend", "op", "n", "cpu_s", "cpu_min_s", "wall_s", "wall_min_s", "cpu_us_per_unit", "rounds", "load1", "rows", "before_mb", "threads"}
def time(seconds):
    for unit, of in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= of:
            return f"{seconds / of:.3f} {unit}"
    return f"{seconds * 1e9:.0f} ns"
for r in lines:
    if "cpu_min_s" not in r or (r["peer"] != "mlops" and r["op"] != "footers"):
        continue
    each = r["op"].startswith("row:")
    least, median = (r["cpu_min_s"] / r["n"], r["cpu_s"] / r["n"]) if each else (r["cpu_min_s"], r["cpu_s"])
    missed = r.get("aim_s", 9e9) < least or r.get("aim_us", 9e9) < least * 1e6 or r.get("aim_times_as_fast", 0) > r.get("times_as_fast", 9)
    missed |= (r.get("peak_over_input_mb") or 0) > r.get("aim_mb", 9e9)
    facts = " ".join(f"{k}={v}" for k, v in r.items() if k not in SHOWN)
    name = r["op"] if r["peer"] == "mlops" else f"{r['op']} {r['peer']}"
    print(f"{name:<40}{size(r.get('rows', 1)) if not each else '':>8}{time(least):>14}{time(median):>14}  {'! ' if missed else ''}{facts}")
