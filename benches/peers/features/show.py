"""Prints JSON lines of figures as tables, each engine beside the others; ! where an aim of ours is missed."""
import json, sys

lines = []
for name in sys.argv[1:]:
    for line in open(name):
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue

def table(title, bench, column, value, show):
    rows = [r for r in lines if r.get("bench") == bench and value in r]
    if not rows:
        return
    heads = list(dict.fromkeys(column(r) for r in rows))
    engines = list(dict.fromkeys(r["engine"] for r in rows))
    print(f"\n{title}\n{'':<44}" + "".join(f"{h:>22}" for h in heads))
    for engine in engines:
        at = {column(r): r for r in rows if r["engine"] == engine}
        print(f"{engine:<44}" + "".join(f"{show(at[h]) if h in at else '–':>22}" for h in heads))

size = lambda n: f"{n // 10**6}M" if n % 10**6 == 0 else f"{n // 1000}k" if n % 1000 == 0 else str(n)
aim = lambda r, got, better: " !" if r.get("aim") and better(got, r["aim"]) else ""
over = lambda r, got, name: " !" if r.get(name) and r.get(got, 0) > r[name] else ""
table("Point-in-time join, CPU seconds with decoding / peak MiB (feature rows x entity rows)", "pit",
      lambda r: f"{size(r['feature_rows'])} x {size(r['entity_rows'])}", "cpu_s",
      lambda r: ("failed" if r.get("failed") else f"{r['cpu_s']:.2f}{aim(r, r['cpu_s'], float.__gt__)} / {r['peak_rss_mib']}{over(r, 'peak_rss_mib', 'aim_rss_mib')}"))
for bench in ("online_read", "online_floor"):
    table(f"{bench}, client CPU us a call (entities x features)", bench,
          lambda r: f"{r['entities']} x {r['features']}", "cpu_us_per_call",
          lambda r: f"{r['cpu_us_per_call']:,.2f}{aim(r, float(r['cpu_us_per_call']), float.__gt__)}")
for bench in ("materialize", "write_to_online_store", "append", "compact"):
    table(f"{bench}, rows a CPU second / peak MiB", bench, lambda r: f"{size(r['rows'])} x {r['features']}", "rows_per_cpu_s",
          lambda r: f"{r['rows_per_cpu_s']:,}{aim(r, float(r['rows_per_cpu_s']), float.__lt__)} / {r.get('peak_rss_mib', '–')}"
                    f"{over(r, 'over_base_mib', 'aim_over_base_mib')}")
joins = {}
for r in (r for r in lines if "f0_sum" in r):
    joins.setdefault((r["feature_rows"], r["entity_rows"]), []).append(r)
for same in joins.values():
    for r in same[1:]:
        if (r["out_rows"], r["nulls"]) != (same[0]["out_rows"], same[0]["nulls"]) or abs(r["f0_sum"] - same[0]["f0_sum"]) > 0.002:
            print("another answer than", same[0]["engine"] + ":", json.dumps(r))
for r in lines:
    if r.get("missing") or r.get("failed"):
        print("missing:", json.dumps(r))
