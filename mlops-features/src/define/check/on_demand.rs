//! What a transform must obey by itself; whether its columns are there is asked of each service.

use std::collections::BTreeSet;

use mlops_core::features::{OnDemand, OnDemandFeature};
use mlops_expr::Expr;

use super::{Faults, check_column};

pub(super) fn check(transform: &OnDemand, faults: &mut Faults) {
    if transform.features.is_empty() {
        faults.add("computes nothing; give at least one feature");
    }
    let mut asked = BTreeSet::new();
    for field in &transform.request {
        check_column("request column", &field.name, faults);
        if !asked.insert(field.name.as_str()) {
            faults.add(format!("request column `{}` comes twice", field.name));
        }
    }
    let mut made = BTreeSet::new();
    for feature in &transform.features {
        let name = &feature.name;
        if !made.insert(name) {
            faults.add(format!("feature `{name}` comes twice"));
        }
        if asked.contains(name.as_str()) {
            faults.add(format!("feature `{name}` is called as a request column"));
        }
        check_feature(feature, faults);
    }
}

fn check_feature(feature: &OnDemandFeature, faults: &mut Faults) {
    let name = &feature.name;
    match (&feature.expr, &feature.function) {
        (Some(_), Some(_)) => {
            faults.add(format!("feature `{name}` has both expr and function; it has one"));
        }
        (None, None) => {
            faults.add(format!("feature `{name}` has neither expr nor function; give one of them"));
        }
        (Some(text), None) => {
            match text.parse::<Expr>() {
                Err(e) => faults.add(format!("feature `{name}`: {}", e.message())),
                Ok(expr) => {
                    for parameter in expr.parameters() {
                        faults.add(format!(
                            "feature `{name}`: the expression has a parameter `:{parameter}`, \
                             for which there is no value; make it a request column"
                        ));
                    }
                }
            }
            if !feature.inputs.is_empty() {
                faults.add(format!(
                    "feature `{name}` is an expression, and inputs are for functions"
                ));
            }
        }
        (None, Some(function)) => {
            let good = function.split_once('@').is_some_and(|(name, version)| {
                !name.is_empty() && version.parse::<u32>().is_ok_and(|version| version > 0)
            });
            if !good {
                faults.add(format!(
                    "feature `{name}`: function `{}` has no name and version, such as `distance@1`",
                    function.chars().take(60).collect::<String>().escape_debug()
                ));
            }
        }
    }
}
