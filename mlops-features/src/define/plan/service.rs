//! A service's next version, pinned to the views as they are then.

use std::collections::BTreeMap;

use mlops_core::features::{
    Change, ChangeKind, Consumer, FeatureName, FeatureService, Lifecycle, ServiceRecord,
    ServiceVersion,
};
use mlops_core::{Error, Result};

use super::Planning;
use crate::define::differences;
use crate::define::digest::service_digest;

impl Planning<'_> {
    pub(super) fn services(&mut self) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        for service in &self.definitions.services {
            changes.extend(self.service(service)?);
        }
        Ok(changes)
    }

    fn service(&mut self, service: &FeatureService) -> Result<Option<Change>> {
        let version = self.pinned(service)?;
        let Some(record) = self.next.services.get(&service.name) else {
            let mut change = Change::new("service", service.name.clone(), ChangeKind::Create);
            change.refused = self.refusals(service, None);
            self.next.services.insert(service.name.clone(), ServiceRecord::new(version));
            return Ok(Some(change));
        };
        let old = record.last();
        let same = old.digest == version.digest;
        if same && old.definition == *service {
            return Ok(None);
        }
        let mut record = record.clone();
        let mut change = if same {
            let change = Change::new("service", service.name.clone(), ChangeKind::Describe);
            if let Some(last) = record.versions.last_mut() {
                last.definition = service.clone();
            }
            change
        } else {
            let number = old.version.checked_add(1).ok_or_else(|| {
                Error::invalid("features.plan", "the service has too many versions")
                    .with("service", &service.name)
            })?;
            let kind = ChangeKind::Version { version: number, new_table: false };
            let mut change = Change::new("service", service.name.clone(), kind);
            change.refused = self.refusals(service, Some(old));
            change.consumers = self.models_of(&service.name, old.version);
            let mut next = version.clone();
            next.version = number;
            record.versions.push(next);
            change
        };
        change.details = differences::of_services(old, &version);
        if same {
            change.refused = self.lacks(|policy| policy.of_service(service));
        }
        self.next.services.insert(service.name.clone(), record);
        Ok(Some(change))
    }

    /// The service's first version, if it were new.
    fn pinned(&self, service: &FeatureService) -> Result<ServiceVersion> {
        let missing = |what: &'static str, name: &FeatureName| {
            Error::not_found("features.plan", "the service names what is not there")
                .with("service", &service.name)
                .with(what, name)
        };
        let (mut views, mut digests) = (BTreeMap::new(), Vec::new());
        for used in &service.views {
            let record =
                self.next.views.get(&used.view).ok_or_else(|| missing("view", &used.view))?;
            digests.push(record.last().digest);
            views.insert(used.view.clone(), record.last().version);
        }
        let mut on_demand = Vec::new();
        for name in &service.on_demand {
            let transform =
                self.next.on_demand.get(name).ok_or_else(|| missing("on_demand", name))?;
            on_demand.push(transform.clone());
        }
        let digest = service_digest(service, &digests, &on_demand);
        Ok(ServiceVersion::new(1, digest, service.clone(), views, on_demand))
    }

    fn refusals(&self, service: &FeatureService, old: Option<&ServiceVersion>) -> Vec<String> {
        let mut refused = self.lacks(|policy| policy.of_service(service));
        let mut seen: Vec<&FeatureName> = Vec::new();
        for used in &service.views {
            let Some(record) = self.next.views.get(&used.view) else { continue };
            if seen.contains(&&used.view) {
                continue;
            }
            seen.push(&used.view);
            let uses_already = old.is_some_and(|old| old.views.contains_key(&used.view));
            match record.state.at(self.now) {
                Lifecycle::Retired => refused
                    .push(format!("view `{}` is retired, and takes no new consumers", used.view)),
                state @ Lifecycle::Deprecated { .. } if !uses_already => refused
                    .push(format!("view `{}` is {state}, and takes no new consumers", used.view)),
                _ => {}
            }
        }
        refused
    }

    /// The models that stay on a version that is no longer the last.
    fn models_of(&self, service: &FeatureName, last: u32) -> Vec<Consumer> {
        let of_service = self.models.iter().filter(|model| model.service.name == *service);
        of_service
            .map(|model| {
                let effect = match model.service.version {
                    None => "gets the new version, for it asks for the last one".to_owned(),
                    Some(version) => format!("stays on {service}@{version}"),
                };
                let unknown = model.service.version.is_some_and(|version| version > last);
                Consumer::new(format!("model {}", model.name), effect, unknown)
            })
            .collect()
    }
}
