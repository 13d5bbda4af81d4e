//! Questions to a registry.

use crate::filter::{Filter, OrderBy, Subject};
use crate::tracking::{PageToken, View, page_limit};
use crate::{ModelName, Result};

macro_rules! query_methods {
    ($name:ident, $subject:expr, $operation:literal) => {
        impl $name {
            /// Asks for what a filter says.
            ///
            /// # Errors
            /// `Invalid` with the position of what is wrong.
            pub fn parse(filter: &str, order_by: &[&str]) -> Result<Self> {
                let order = |text: &&str| OrderBy::parse_for($subject, text);
                Ok(Self {
                    filter: Filter::parse_for($subject, filter)?,
                    order_by: order_by.iter().map(order).collect::<Result<_>>()?,
                    ..Self::default()
                })
            }

            /// Says whether the trash is looked at.
            pub fn with_view(mut self, view: View) -> Self {
                self.view = view;
                self
            }

            /// Sets the size of a page.
            pub fn with_limit(mut self, limit: usize) -> Self {
                self.limit = limit;
                self
            }

            /// Goes on where a page ended.
            pub fn with_page(mut self, page: PageToken) -> Self {
                self.page = Some(page);
                self
            }

            /// The size of a page, checked.
            ///
            /// # Errors
            /// `Invalid` above [`MAX_PAGE`](crate::tracking::MAX_PAGE).
            pub fn page_limit(&self) -> Result<usize> {
                page_limit($operation, self.limit)
            }
        }
    };
}

/// Which models, in which order.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ModelQuery {
    /// What must be true; parsed for [`Subject::Model`].
    pub filter: Filter,
    /// The order; after it, and without it, by name.
    pub order_by: Vec<OrderBy>,
    /// Whether the trash is looked at.
    pub view: View,
    /// Most models on the page; 0 means 1,000.
    pub limit: usize,
    /// Where to go on; of the same query.
    pub page: Option<PageToken>,
}

query_methods!(ModelQuery, Subject::Model, "registry.search_models");

/// Which versions, in which order.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct VersionQuery {
    /// Only versions of this model; of all if absent.
    pub model: Option<ModelName>,
    /// What must be true; parsed for [`Subject::Version`].
    pub filter: Filter,
    /// The order; after it, and without it, by the model's name, then the greatest number first.
    pub order_by: Vec<OrderBy>,
    /// Whether the trash is looked at; a version of a model in the trash is in the trash.
    pub view: View,
    /// Most versions on the page; 0 means 1,000.
    pub limit: usize,
    /// Where to go on; of the same query.
    pub page: Option<PageToken>,
}

query_methods!(VersionQuery, Subject::Version, "registry.search_versions");

impl VersionQuery {
    /// Asks only for versions of this model.
    pub fn of(model: ModelName) -> Self {
        Self { model: Some(model), ..Self::default() }
    }
}
