//! How far two binned samples are apart.
//!
//! Each function takes two vectors of counts of the same cells, [`Bins`](super::Bins) say, and nothing
//! else, so it is the same for numbers, categories and nulls, and for data that is gone. The first
//! three measure a distance and know nothing about sample sizes: with enough rows every difference is
//! certain and with few none is. The two tests give a p-value, which needs both sizes.

use mlops_core::{Error, Result};

use super::special::{gamma_upper, kolmogorov_upper};

const OPERATION: &str = "validate.distance";

/// Population stability index between two binned samples.
///
/// `Σ (pᵢ − qᵢ) · ln(pᵢ / qᵢ)` over the cells that either sample uses.
///
/// A cell that only one of them uses would make it infinite. If there is one, half a count is added to
/// every used cell of both before the shares are taken: the larger the samples, the less that weighs.
///
/// # Input
/// Two count vectors of the same length.
/// # Units
/// Dimensionless, ≥ 0; 0 means equal shares. Below 0.1 is commonly called stable, above 0.25 shifted.
/// # Null, NaN, ±∞
/// Own cells, both sides alike.
/// # Errors
/// `Invalid` if the lengths differ or a sample is empty.
/// # Example
/// ```
/// let psi = mlops_validate::stats::psi(&[10, 20, 30, 40], &[12, 18, 33, 37])?;
/// assert!((psi - 0.010_951_793).abs() < 1e-9);
/// # Ok::<(), mlops_core::Error>(())
/// ```
/// # Source
/// Siddiqi 2006, §6; values checked against `tests/golden/distance.json`.
pub fn psi(reference: &[u64], current: &[u64]) -> Result<f64> {
    let pair = Pair::new(reference, current)?;
    let lonely = pair.cells().any(|(a, b)| (a == 0) != (b == 0));
    let pad = if lonely { 0.5 } else { 0.0 };
    let used = pair.cells().filter(|(a, b)| a | b != 0).count() as f64;
    let (n, m) = (pair.totals.0 as f64 + pad * used, pair.totals.1 as f64 + pad * used);
    let terms = pair.cells().filter(|(a, b)| a | b != 0).map(|(a, b)| {
        let (p, q) = ((a as f64 + pad) / n, (b as f64 + pad) / m);
        (p - q) * (p / q).ln()
    });
    Ok(terms.sum())
}

/// Jensen–Shannon distance, base 2, between two binned samples.
///
/// `√(½ Σ pᵢ log₂(pᵢ / mᵢ) + ½ Σ qᵢ log₂(qᵢ / mᵢ))` with `m = (p + q) / 2`. A metric, and finite with
/// empty cells.
///
/// # Input
/// Two count vectors of the same length.
/// # Units
/// Dimensionless, 0 (equal shares) to 1 (no cell in common).
/// # Null, NaN, ±∞
/// Own cells, both sides alike.
/// # Errors
/// `Invalid` if the lengths differ or a sample is empty.
/// # Example
/// ```
/// assert_eq!(mlops_validate::stats::jensen_shannon(&[3, 0], &[0, 9])?, 1.0);
/// # Ok::<(), mlops_core::Error>(())
/// ```
/// # Source
/// Lin 1991; Endres and Schindelin 2003; `scipy.spatial.distance.jensenshannon` in
/// `tests/golden/distance.json`.
pub fn jensen_shannon(reference: &[u64], current: &[u64]) -> Result<f64> {
    let pair = Pair::new(reference, current)?;
    let part = |p: f64, m: f64| if p > 0.0 { p * (p / m).log2() } else { 0.0 };
    let terms = pair.shares().map(|(p, q)| {
        let m = f64::midpoint(p, q);
        f64::midpoint(part(p, m), part(q, m))
    });
    Ok(terms.sum::<f64>().clamp(0.0, 1.0).sqrt())
}

/// Total variation distance between two binned samples.
///
/// `½ Σ |pᵢ − qᵢ|`: the largest difference that any set of cells shows, and the share of rows that would
/// have to change cells.
///
/// # Input
/// Two count vectors of the same length.
/// # Units
/// Dimensionless, 0 (equal shares) to 1 (no cell in common).
/// # Null, NaN, ±∞
/// Own cells, both sides alike.
/// # Errors
/// `Invalid` if the lengths differ or a sample is empty.
/// # Example
/// ```
/// assert_eq!(mlops_validate::stats::total_variation(&[50, 50], &[3, 1])?, 0.25);
/// # Ok::<(), mlops_core::Error>(())
/// ```
/// # Source
/// Levin and Peres 2017, §4.1; values checked against `tests/golden/distance.json`.
pub fn total_variation(reference: &[u64], current: &[u64]) -> Result<f64> {
    let pair = Pair::new(reference, current)?;
    Ok((pair.shares().map(|(p, q)| (p - q).abs()).sum::<f64>() / 2.0).min(1.0))
}

/// Wasserstein-1 (earth mover's) distance between two binned samples over ordered cells.
///
/// `Σ |Fᵢ − Gᵢ| / (k − 1)`, `F` and `G` the cumulative shares: how many cells, as a share of the way
/// from the first to the last, a row moves on average. Cells count as one step each; with cells of
/// equal probability in the reference that is a distance in ranks, which no outlier can dominate.
///
/// # Input
/// Two count vectors of the same length, cells in order; one cell gives 0.
/// # Units
/// Dimensionless, 0 (equal shares) to 1 (all from the first cell to the last).
/// # Null, NaN, ±∞
/// ±∞ are the outermost cells; null and NaN have no place in an order and are to be left out
/// ([`Bins::ordered`](super::Bins::ordered)).
/// # Errors
/// `Invalid` if the lengths differ or a sample is empty.
/// # Example
/// ```
/// assert_eq!(mlops_validate::stats::wasserstein(&[1, 0, 0], &[0, 1, 0])?, 0.5);
/// # Ok::<(), mlops_core::Error>(())
/// ```
/// # Source
/// Villani 2009, §6; `scipy.stats.wasserstein_distance` in `tests/golden/distance.json`.
pub fn wasserstein(reference: &[u64], current: &[u64]) -> Result<f64> {
    let pair = Pair::new(reference, current)?;
    let steps = reference.len().saturating_sub(1).max(1) as f64;
    Ok((pair.cumulative_gaps().sum::<f64>() / steps).min(1.0))
}

/// The result of [`chi_square`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquare {
    /// The statistic, ≥ 0.
    pub statistic: f64,
    /// Used cells less one.
    pub degrees: usize,
    /// How likely a statistic at least as large is if both samples have one distribution.
    pub p_value: f64,
}

/// Pearson's chi-square test that two binned samples come from one distribution.
///
/// `Σ (observed − expected)² / expected` over the 2 × k table of counts, expected from its margins, no
/// continuity correction. Both sides are samples: a reference of few rows is not taken for the truth.
///
/// The p-value is asymptotic; with fewer than about five expected counts in a cell it is only roughly
/// right. Cells that neither sample uses are left out; with one used cell the p-value is 1.
///
/// # Input
/// Two count vectors of the same length; counts, not shares: the size of the samples matters.
/// # Units
/// Statistic dimensionless; p-value 0 to 1.
/// # Null, NaN, ±∞
/// Own cells, both sides alike.
/// # Errors
/// `Invalid` if the lengths differ or a sample is empty.
/// # Example
/// ```
/// let test = mlops_validate::stats::chi_square(&[10, 20, 30, 40], &[12, 18, 33, 37])?;
/// assert_eq!(test.degrees, 3);
/// assert!((test.p_value - 0.908_490_863_371).abs() < 1e-9);
/// # Ok::<(), mlops_core::Error>(())
/// ```
/// # Source
/// Pearson 1900; `scipy.stats.chi2_contingency` in `tests/golden/distance.json`.
pub fn chi_square(reference: &[u64], current: &[u64]) -> Result<ChiSquare> {
    let pair = Pair::new(reference, current)?;
    let (n, m) = (pair.totals.0 as f64, pair.totals.1 as f64);
    let (mut statistic, mut used) = (0.0, 0);
    for (a, b) in pair.cells().filter(|(a, b)| a | b != 0) {
        used += 1;
        let (a, b) = (a as f64, b as f64);
        let (left, right) = ((a + b) * (n / (n + m)), (a + b) * (m / (n + m)));
        statistic += (a - left).powi(2) / left + (b - right).powi(2) / right;
    }
    let degrees = used - 1; // a sample that is not empty uses a cell
    let p_value =
        if degrees == 0 { 1.0 } else { gamma_upper(degrees as f64 / 2.0, statistic / 2.0) };
    Ok(ChiSquare { statistic, degrees, p_value })
}

/// The result of [`kolmogorov_smirnov`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KolmogorovSmirnov {
    /// The largest difference of the cumulative shares, 0 to 1.
    pub statistic: f64,
    /// At most how likely a difference at least as large is if both samples have one distribution.
    pub p_value: f64,
}

/// Two-sample Kolmogorov–Smirnov test over ordered cells.
///
/// `D = max |Fᵢ − Gᵢ|`, `F` and `G` the cumulative shares, with the two-sided asymptotic p-value of
/// `D · √(n m / (n + m))`. Within a cell the samples cannot be told apart, so `D` is at most that of
/// the raw values and the test errs towards "no difference".
///
/// # Input
/// Two count vectors of the same length, cells in order; counts, not shares.
/// # Units
/// Dimensionless, both numbers 0 to 1.
/// # Null, NaN, ±∞
/// ±∞ are the outermost cells; null and NaN have no place in an order and are to be left out
/// ([`Bins::ordered`](super::Bins::ordered)).
/// # Errors
/// `Invalid` if the lengths differ or a sample is empty.
/// # Example
/// ```
/// let test = mlops_validate::stats::kolmogorov_smirnov(&[60, 40], &[50, 50])?;
/// assert!((test.statistic - 0.1).abs() < 1e-15 && test.p_value > 0.6);
/// # Ok::<(), mlops_core::Error>(())
/// ```
/// # Source
/// Smirnov 1939; `scipy.special.kolmogorov` in `tests/golden/distance.json`.
pub fn kolmogorov_smirnov(reference: &[u64], current: &[u64]) -> Result<KolmogorovSmirnov> {
    let pair = Pair::new(reference, current)?;
    let statistic = pair.cumulative_gaps().fold(0.0, f64::max);
    let (n, m) = (pair.totals.0 as f64, pair.totals.1 as f64);
    let p_value = kolmogorov_upper(statistic * (n * (m / (n + m))).sqrt());
    Ok(KolmogorovSmirnov { statistic, p_value })
}

/// Two samples of the same cells, none empty.
struct Pair<'a> {
    a: &'a [u64],
    b: &'a [u64],
    totals: (u128, u128),
}

impl<'a> Pair<'a> {
    fn new(a: &'a [u64], b: &'a [u64]) -> Result<Self> {
        if a.len() != b.len() {
            return Err(Error::invalid(OPERATION, "two samples must be counted in the same cells")
                .with("reference", a.len())
                .with("current", b.len())
                .with_hint("count both with the same bins"));
        }
        let total = |counts: &[u64]| counts.iter().map(|count| u128::from(*count)).sum::<u128>();
        let totals = (total(a), total(b));
        if totals.0 == 0 || totals.1 == 0 {
            return Err(Error::invalid(OPERATION, "an empty sample has no distribution")
                .with("reference", totals.0)
                .with("current", totals.1));
        }
        Ok(Self { a, b, totals })
    }

    fn cells(&self) -> impl Iterator<Item = (u64, u64)> {
        self.a.iter().copied().zip(self.b.iter().copied())
    }

    fn shares(&self) -> impl Iterator<Item = (f64, f64)> {
        let (n, m) = (self.totals.0 as f64, self.totals.1 as f64);
        self.cells().map(move |(a, b)| (a as f64 / n, b as f64 / m))
    }

    /// `|Fᵢ − Gᵢ|` of each cell, from whole sums so that errors do not pile up.
    fn cumulative_gaps(&self) -> impl Iterator<Item = f64> {
        let (n, m) = (self.totals.0 as f64, self.totals.1 as f64);
        self.cells().scan((0u128, 0u128), move |(f, g), (a, b)| {
            *f += u128::from(a);
            *g += u128::from(b);
            Some((*f as f64 / n - *g as f64 / m).abs())
        })
    }
}

#[cfg(test)]
mod tests;
