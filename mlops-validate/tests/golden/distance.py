"""Reference values of the distances between two binned samples: python3 distance.py > distance.json (numpy, scipy)."""
import json

import numpy
from scipy import special, stats
from scipy.spatial import distance

PAIRS = [
    ([10, 20, 30, 40], [12, 18, 33, 37]),
    ([100, 100, 100], [300, 300, 300]),
    ([5, 0, 7, 1], [2, 3, 0, 9]),
    ([1000, 2000, 3000, 2500, 1500], [1100, 1900, 2800, 2700, 1400]),
    ([1, 0], [0, 1]),
    ([17, 0, 0, 4, 9], [3, 0, 2, 8, 1]),
    ([123456, 234567, 345678], [123400, 234500, 345900]),
]
cases = []
for a, b in PAIRS:
    a, b = numpy.array(a, float), numpy.array(b, float)
    p, q = a / a.sum(), b / b.sum()
    # Half a count into each cell of both, when some cell of one is empty and of the other is not.
    used = (a + b) > 0
    pad = 0.5 if ((a == 0) != (b == 0)).any() else 0.0
    ps, qs = ((x[used] + pad) / (x[used] + pad).sum() for x in (a, b))
    chi = stats.chi2_contingency(numpy.array([a, b])[:, used], correction=False)
    d = float(numpy.abs(p.cumsum() - q.cumsum()).max())
    en = a.sum() * b.sum() / (a.sum() + b.sum())
    cells = numpy.arange(len(a))
    cases.append({
        "a": a.astype(int).tolist(), "b": b.astype(int).tolist(),
        "psi": float(((ps - qs) * numpy.log(ps / qs)).sum()),
        "jensen_shannon": float(distance.jensenshannon(p, q, base=2)),
        "chi_square": float(chi.statistic), "chi_square_dof": int(chi.dof), "chi_square_p": float(chi.pvalue),
        "total_variation": float(numpy.abs(p - q).sum() / 2),
        "ks": d, "ks_p": float(special.kolmogorov(numpy.sqrt(en) * d)),
        "wasserstein": float(stats.wasserstein_distance(cells, cells, p, q)) / (len(a) - 1),
    })
gamma = [[a, x, float(special.gammaincc(a, x))] for a in [0.5, 1, 2.5, 10, 99.5, 1000] for x in [0.01, 0.5, 1, 3, 12, 90, 120, 1100]]
ln_gamma = [[x, float(special.gammaln(x))] for x in [0.5, 1, 1.5, 2, 3.7, 10, 171.5, 1e6]]
kolmogorov = [[x, float(special.kolmogorov(x))] for x in [0.05, 0.2, 0.4, 0.7, 1.0, 1.18, 1.36, 2, 4, 8]]
print(json.dumps({"cases": cases, "gamma_upper": gamma, "ln_gamma": ln_gamma, "kolmogorov": kolmogorov}))
