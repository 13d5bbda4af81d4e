//! A logistic regression, with a callback after every step of its training.
//!
//! The steps are `argmin`'s L-BFGS; this file only says what the loss and its slope are. The
//! ready-made `linfa-logistic` runs the same L-BFGS and finds the same weights, but it hides the
//! steps: a curve needs training to stop and start again, and each start forgets the curvature
//! learned so far. Twenty measured steps of the largest model here took 6.7 s that way, 0.8 s this.
//!
//! Columns are standardised, so that one penalty suits degrees and miles alike. This is done in
//! the arithmetic (`w·(x − mean)/scale` is a line in `x` as well), not by a copy of the data, and
//! the model that comes out takes features as they are.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use argmin::core::{CostFunction, Gradient, IterState, Problem, Solver, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use serde::{Deserialize, Serialize};

use super::data::{Encoder, Features, Flights, Result};

/// Rows in one go: a block of all columns then stays in the cache between loss and slope.
const BLOCK: usize = 1024;

/// What a person chooses before training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Strength of the penalty `l2/2 · ‖w‖²` on standardised weights, beside the mean log loss.
    pub l2: f64,
    /// Most steps to take; training ends earlier once the slope is flat.
    pub max_iterations: u64,
}

/// Features with their answers.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// What is known.
    pub x: Features,
    /// What came of it.
    pub y: Vec<bool>,
}

impl Sample {
    /// Encodes some rows and looks up their answers.
    pub fn new(flights: &Flights, rows: &[usize], encoder: &Encoder) -> Result<Self> {
        Ok(Self { x: encoder.encode(flights, rows), y: flights.target(rows)? })
    }
}

/// How good a model is after one step of training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Mean log loss on every tenth training row.
    pub train_log_loss: f64,
    /// Area under the ROC curve on every tenth training row.
    pub train_auc: f64,
    /// Mean log loss on the validation rows.
    pub validation_log_loss: f64,
    /// Area under the ROC curve on the validation rows.
    pub validation_auc: f64,
}

/// A trained model: one file holds all that is needed to score a flight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Makes the features.
    pub encoder: Encoder,
    /// What it was trained with.
    pub settings: Settings,
    /// Names of the features, in order.
    pub features: Vec<String>,
    /// One weight per feature.
    pub weights: Vec<f64>,
    /// Log odds where all features are zero.
    pub intercept: f64,
}

impl Model {
    /// Trains on one sample and watches another.
    ///
    /// `on_iteration` is called with `0, 1, 2, …`: zero is before the first step, where every
    /// flight gets the same odds. The model that comes back is that of the last step.
    pub fn train(
        encoder: Encoder,
        settings: Settings,
        train: &Sample,
        validation: &Sample,
        mut on_iteration: impl FnMut(u64, &Metrics),
    ) -> Result<Self> {
        let objective = Objective::new(train, settings.l2)?;
        let start = objective.constant_guess();
        let watched = every_tenth(train);
        let mut model = Self {
            encoder,
            settings,
            features: train.x.names.clone(),
            weights: vec![0.0; train.x.columns.len()],
            intercept: 0.0,
        };
        let mut report = |iteration, param: Option<&Vec<f64>>| {
            if let Some(param) = param {
                (model.weights, model.intercept) = objective.in_plain_units(param);
            }
            on_iteration(iteration, &model.metrics(&watched, validation));
        };

        let mut problem = Problem::new(&objective);
        let mut solver = LBFGS::new(MoreThuenteLineSearch::new(), 10).with_tolerance_grad(1e-5)?;
        let state = IterState::new().param(start).max_iters(settings.max_iterations);
        let (mut state, _) = solver.init(&mut problem, state)?;
        state.update();
        report(0, state.get_param());
        while !Solver::<&Objective<'_>, _>::terminate_internal(&mut solver, &state).terminated() {
            (state, _) = solver.next_iter(&mut problem, state)?;
            state.update();
            state.increment_iter();
            report(state.get_iter(), state.get_param());
        }
        Ok(model)
    }

    /// Probability of being late, for each row of features.
    pub fn predict(&self, x: &Features) -> Vec<f64> {
        let mut scores = vec![self.intercept; x.rows()];
        for (column, &weight) in x.columns.iter().zip(&self.weights) {
            add_scaled(&mut scores, weight, column);
        }
        for score in &mut scores {
            *score = sigmoid(*score);
        }
        scores
    }

    /// Probability of being late, for flights whose arrival need not be known.
    pub fn score(&self, flights: &Flights, rows: &[usize]) -> Vec<f64> {
        self.predict(&self.encoder.encode(flights, rows))
    }

    /// Writes the model as JSON, which a person can read.
    pub fn save(&self, path: &Path) -> Result<()> {
        Ok(fs::write(path, serde_json::to_vec_pretty(self)?)?)
    }

    /// Reads a model back; it predicts the same to the last bit.
    ///
    /// That takes `serde_json`'s feature `float_roundtrip`; without it, a number may come back
    /// with another last bit.
    pub fn load(path: &Path) -> Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    fn metrics(&self, train: &Sample, validation: &Sample) -> Metrics {
        let on_train = self.predict(&train.x);
        let on_validation = self.predict(&validation.x);
        Metrics {
            train_log_loss: log_loss(&train.y, &on_train),
            train_auc: roc_auc(&train.y, &on_train),
            validation_log_loss: log_loss(&validation.y, &on_validation),
            validation_auc: roc_auc(&validation.y, &on_validation),
        }
    }
}

/// Mean log loss, `−mean(ln p(what happened))`. A sure and wrong guess costs 34.5, not infinity.
pub fn log_loss(y: &[bool], p: &[f64]) -> f64 {
    let each = y.iter().zip(p).map(|(&y, &p)| if y { p } else { 1.0 - p });
    -each.map(|p| p.max(1e-15).ln()).sum::<f64>() / y.len() as f64
}

/// Area under the ROC curve: how often a late flight scores above one on time.
///
/// Equal scores count half, so a constant score has 0.5. `NaN` if one of the classes is absent.
pub fn roc_auc(y: &[bool], p: &[f64]) -> f64 {
    let curve = roc_curve(y, p);
    let trapezoid =
        |ends: &[RocPoint]| (ends[1].fpr - ends[0].fpr) * f64::midpoint(ends[0].tpr, ends[1].tpr);
    curve.windows(2).map(trapezoid).sum()
}

/// One point of a ROC curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RocPoint {
    /// Scores from here on count as late.
    pub threshold: f64,
    /// False positive rate: part of the flights on time that are called late.
    pub fpr: f64,
    /// True positive rate: part of the late flights that are called late.
    pub tpr: f64,
}

/// The ROC curve from (0, 0) to (1, 1), with one point for each distinct score.
///
/// Rates of a class that is absent are `NaN`.
pub fn roc_curve(y: &[bool], p: &[f64]) -> Vec<RocPoint> {
    let mut ranked: Vec<(f64, bool)> = p.iter().copied().zip(y.iter().copied()).collect();
    ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let positives = y.iter().filter(|&&late| late).count() as f64;
    let negatives = y.len() as f64 - positives;

    let (mut hits, mut alarms) = (0.0, 0.0);
    let mut curve = vec![(f64::INFINITY, 0.0, 0.0)];
    for equal in ranked.chunk_by(|a, b| a.0 == b.0) {
        let late = equal.iter().filter(|(_, late)| *late).count();
        hits += late as f64;
        alarms += (equal.len() - late) as f64;
        curve.push((equal[0].0, alarms, hits));
    }
    let rates = |(threshold, alarms, hits)| RocPoint {
        threshold,
        fpr: alarms / negatives,
        tpr: hits / positives,
    };
    curve.into_iter().map(rates).collect()
}

/// What happens if every score of at least `threshold` is called late.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AtThreshold {
    /// The threshold.
    pub threshold: f64,
    /// Part of all calls that are right.
    pub accuracy: f64,
    /// Part of the flights called late that are late; `NaN` if none is called late.
    pub precision: f64,
    /// Part of the late flights that are called late; `NaN` if none is late.
    pub recall: f64,
}

/// Counts right and wrong calls at a threshold.
pub fn at_threshold(y: &[bool], p: &[f64], threshold: f64) -> AtThreshold {
    let count = |late: bool, called: bool| {
        let same = |(&y, &p): (&bool, &f64)| y == late && (p >= threshold) == called;
        y.iter().zip(p).filter(|&pair| same(pair)).count() as f64
    };
    let (hits, misses) = (count(true, true), count(true, false));
    let (alarms, passes) = (count(false, true), count(false, false));
    AtThreshold {
        threshold,
        accuracy: (hits + passes) / (hits + misses + alarms + passes),
        precision: hits / (hits + alarms),
        recall: hits / (hits + misses),
    }
}

/// The penalised mean log loss as a function of the standardised weights and the intercept.
struct Objective<'a> {
    train: &'a Sample,
    l2: f64,
    mean: Vec<f64>,
    scale: Vec<f64>,
    /// The last place looked at. A line search asks for loss and slope there one after the other,
    /// and both come out of one pass over the data.
    last: RefCell<Option<Evaluation>>,
}

/// Loss and slope at one place.
struct Evaluation {
    param: Vec<f64>,
    loss: f64,
    slope: Vec<f64>,
}

impl<'a> Objective<'a> {
    fn new(train: &'a Sample, l2: f64) -> Result<Self> {
        if train.x.columns.iter().any(|column| column.len() != train.y.len()) {
            return Err("a column of features is not as long as the answers".into());
        }
        if !train.y.contains(&true) || !train.y.contains(&false) {
            return Err("training needs flights of both kinds".into());
        }
        let rows = train.y.len() as f64;
        let moments = |column: &Vec<f64>| {
            let mean = column.iter().sum::<f64>() / rows;
            let variance = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / rows;
            // A column that never changes says nothing; any scale keeps its weight at zero.
            (mean, if variance > 0.0 { variance.sqrt() } else { 1.0 })
        };
        let (mean, scale) = train.x.columns.iter().map(moments).unzip();
        Ok(Self { train, l2, mean, scale, last: RefCell::new(None) })
    }

    /// Weights of zero, and the intercept that is best for them: the log odds of being late.
    fn constant_guess(&self) -> Vec<f64> {
        let late = self.train.y.iter().filter(|&&late| late).count() as f64;
        let mut param = vec![0.0; self.mean.len() + 1];
        param[self.mean.len()] = (late / (self.train.y.len() as f64 - late)).ln();
        param
    }

    /// The same line, for features as they are.
    fn in_plain_units(&self, param: &[f64]) -> (Vec<f64>, f64) {
        let (standardised, intercept) = param.split_at(self.mean.len());
        let weights: Vec<f64> =
            standardised.iter().zip(&self.scale).map(|(weight, scale)| weight / scale).collect();
        let shift: f64 = weights.iter().zip(&self.mean).map(|(weight, mean)| weight * mean).sum();
        (weights, intercept[0] - shift)
    }

    fn loss_and_slope(&self, param: &[f64]) -> (f64, Vec<f64>) {
        let (weights, intercept) = self.in_plain_units(param);
        let columns = &self.train.x.columns;
        let mut slope = vec![0.0; param.len()];
        let mut loss = 0.0;
        let mut residual_sum = 0.0;
        for start in (0..self.train.y.len()).step_by(BLOCK) {
            let y = &self.train.y[start..(start + BLOCK).min(self.train.y.len())];
            let block = start..start + y.len();
            let mut z = [intercept; BLOCK];
            let z = &mut z[..y.len()];
            for (column, &weight) in columns.iter().zip(&weights) {
                add_scaled(z, weight, &column[block.clone()]);
            }
            for (z, &y) in z.iter_mut().zip(y) {
                // ln(1 + eᶻ) written so that it cannot overflow.
                loss += z.max(0.0) + (-z.abs()).exp().ln_1p() - if y { *z } else { 0.0 };
                *z = sigmoid(*z) - f64::from(u8::from(y));
            }
            residual_sum += z.iter().sum::<f64>();
            for (slope, column) in slope.iter_mut().zip(columns) {
                *slope += dot(z, &column[block.clone()]);
            }
        }

        let rows = self.train.y.len() as f64;
        let standardised = &param[..weights.len()];
        let moments = self.mean.iter().zip(&self.scale);
        for ((slope, (mean, scale)), weight) in slope.iter_mut().zip(moments).zip(standardised) {
            *slope = (*slope - mean * residual_sum) / scale / rows + self.l2 * weight;
        }
        slope[weights.len()] = residual_sum / rows;
        (loss / rows + 0.5 * self.l2 * dot(standardised, standardised), slope)
    }

    fn at<T>(&self, param: &[f64], pick: impl Fn(f64, &[f64]) -> T) -> T {
        let mut last = self.last.borrow_mut();
        if let Some(known) = last.as_ref().filter(|known| known.param == param) {
            return pick(known.loss, &known.slope);
        }
        let (loss, slope) = self.loss_and_slope(param);
        let picked = pick(loss, &slope);
        *last = Some(Evaluation { param: param.to_vec(), loss, slope });
        picked
    }
}

impl CostFunction for &Objective<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, param: &Vec<f64>) -> std::result::Result<f64, argmin::core::Error> {
        Ok(self.at(param, |loss, _| loss))
    }
}

impl Gradient for &Objective<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, param: &Vec<f64>) -> std::result::Result<Vec<f64>, argmin::core::Error> {
        Ok(self.at(param, |_, slope| slope.to_vec()))
    }
}

/// Enough to see how training goes, at a tenth of the price.
fn every_tenth(sample: &Sample) -> Sample {
    let thin = |column: &Vec<f64>| column.iter().step_by(10).copied().collect();
    let columns = sample.x.columns.iter().map(thin).collect();
    let x = Features { names: sample.x.names.clone(), columns };
    Sample { x, y: sample.y.iter().step_by(10).copied().collect() }
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn add_scaled(sum: &mut [f64], weight: f64, column: &[f64]) {
    for (sum, x) in sum.iter_mut().zip(column) {
        *sum += weight * x;
    }
}

/// Four running sums instead of one: a processor adds them side by side.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a4, a_rest) = a.as_chunks::<4>();
    let (b4, b_rest) = b.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (a, b) in a4.iter().zip(b4) {
        for lane in 0..4 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_count_half() {
        let y = [true, false, true, false];
        assert_eq!(roc_auc(&y, &[0.5; 4]), 0.5);
        assert_eq!(roc_auc(&y, &[0.9, 0.1, 0.8, 0.2]), 1.0);
        assert_eq!(roc_auc(&y, &[0.9, 0.9, 0.8, 0.2]), 0.625);
    }

    #[test]
    fn log_loss_of_a_coin_is_ln_2() {
        assert!((log_loss(&[true, false], &[0.5, 0.5]) - 2f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn the_slope_is_that_of_the_loss() -> Result<()> {
        let columns = vec![vec![1.0, 2.0, 3.0, 5.0, 8.0], vec![0.0, 1.0, 0.0, 1.0, 1.0]];
        let x = Features { names: vec!["a".into(), "b".into()], columns };
        let sample = Sample { x, y: vec![true, false, true, true, false] };
        let objective = Objective::new(&sample, 0.1)?;
        let at = vec![0.3, -0.2, 0.1];
        let (_, slope) = objective.loss_and_slope(&at);
        for (i, slope) in slope.iter().enumerate() {
            let moved = |by: f64| {
                let mut param = at.clone();
                param[i] += by;
                objective.loss_and_slope(&param).0
            };
            let measured = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((measured - slope).abs() < 1e-8, "{i}: {measured} is not {slope}");
        }
        Ok(())
    }

    #[test]
    fn scores_with_one_class_have_no_area() {
        assert!(roc_auc(&[true, true], &[0.1, 0.9]).is_nan());
    }

    #[test]
    fn calls_at_a_threshold_are_counted() {
        let found = at_threshold(&[true, true, false, false], &[0.9, 0.2, 0.7, 0.1], 0.5);
        assert_eq!((found.accuracy, found.precision, found.recall), (0.5, 0.5, 0.5));
    }
}
