//! TEMPORARY.
use mlops_core::Result;
use mlops_core::validation::{Anomaly, Format};
pub(crate) struct Ks {
    pub(crate) statistic: f64,
}
pub(crate) fn psi(_: &[u64], _: &[u64]) -> Result<f64> {
    Ok(0.0)
}
pub(crate) fn jensen_shannon(_: &[u64], _: &[u64]) -> Result<f64> {
    Ok(0.0)
}
pub(crate) fn total_variation(_: &[u64], _: &[u64]) -> Result<f64> {
    Ok(0.0)
}
pub(crate) fn kolmogorov_smirnov(_: &[u64], _: &[u64]) -> Result<Ks> {
    Ok(Ks { statistic: 0.0 })
}
#[derive(Debug)]
pub(crate) enum Outlook {
    TooShort { has: usize, needs: usize },
    Range { low: f64, high: f64, median: f64 },
}
pub(crate) fn outlook(_: &[f64], _: &Anomaly, _: bool) -> Result<Outlook> {
    Ok(Outlook::TooShort { has: 0, needs: 5 })
}
pub(crate) fn is_valid(_: Format, _: &[u8]) -> bool {
    true
}
