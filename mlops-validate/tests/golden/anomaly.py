"""Critical values of the robust z-score: python3 anomaly.py > anomaly.json (numpy, scipy; some minutes).

For a history of n independent normal values and one more of the same distribution, c is such that
    P(|x - median| > c * 1.4826 * MAD) = alpha.
Given the history that probability is a difference of two values of the normal distribution function, so
only histories are simulated: the mean over 400,000 of them is solved for c by bisection.
"""
import json

import numpy
from scipy.special import ndtr

ALPHAS = [0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001]
LENGTHS = [*range(5, 41), 50, 60, 80, 100, 150, 200]
HISTORIES = 400_000


def histories(n, random):
    for _ in range(20):
        sample = random.standard_normal((HISTORIES // 20, n))
        median = numpy.median(sample, axis=1)
        yield median, 1.4826 * numpy.median(numpy.abs(sample - median[:, None]), axis=1)


rows = []
for n in LENGTHS:
    random = numpy.random.default_rng(n)
    median, sigma = (numpy.concatenate(part) for part in zip(*histories(n, random)))
    row = []
    for alpha in ALPHAS:
        low, high = numpy.log(0.5), numpy.log(2_000.0)
        while high - low > 1e-4:
            middle = (low + high) / 2
            reach = numpy.exp(middle) * sigma
            rate = numpy.mean(ndtr(median - reach) + ndtr(-reach - median))
            low, high = (middle, high) if rate > alpha else (low, middle)
        row.append(round(float(numpy.exp(high)), 3))
    rows.append([n, row])
print(json.dumps({"alphas": ALPHAS, "rows": rows}))
