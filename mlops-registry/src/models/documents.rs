//! Policies and access rules: documents of the catalog that the registry itself reads.
//!
//! They are checked before they are stored: a policy that could never be met, or rules that would lock
//! everyone out, are found by the one who writes them.

use mlops_core::registry::{
    ACCESS_KIND, ACCESS_NAME, Access, DEFAULT_POLICY, Document, POLICY_KIND, PutDocument,
    StagePolicy,
};
use mlops_core::{Error, ErrorKind, Key, ModelName, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::Models;

impl Models {
    /// Stores the policy of a model, or the one of all models that have none of their own (`None`).
    ///
    /// A model that is called `default` has no policy but the default one, since the two would be the
    /// same document.
    ///
    /// # Errors
    /// `Invalid` as [`StagePolicy::check`], or for a policy of the model `default`.
    pub async fn set_policy(&self, model: Option<&str>, policy: &StagePolicy) -> Result<Document> {
        policy.check()?;
        let name = model.map(ModelName::new).transpose()?;
        if name.as_ref().is_some_and(|name| name.as_str() == DEFAULT_POLICY) {
            let message = "a model of this name has no policy of its own";
            return Err(Error::invalid("models.set_policy", message)
                .with("model", DEFAULT_POLICY)
                .with_hint("store the default policy, which holds for it, or rename the model"));
        }
        let name = name.as_ref().map_or(DEFAULT_POLICY, ModelName::as_str);
        self.put(POLICY_KIND, name, policy).await
    }

    /// The policy that a model's promotions are judged by: its own, or the default one.
    ///
    /// # Errors
    /// `Corrupt` if what is stored is no policy.
    pub async fn policy(&self, model: &str) -> Result<Option<(Document, StagePolicy)>> {
        let model = ModelName::new(model)?;
        if let Some(own) = self.read(POLICY_KIND, model.as_str()).await? {
            return Ok(Some(own));
        }
        self.read(POLICY_KIND, DEFAULT_POLICY).await
    }

    /// Stores the access rules of the whole store. They bind those who come through
    /// [`Models::authorized`], and say who counts as an approver.
    ///
    /// # Errors
    /// `Invalid` as [`Access::check`].
    pub async fn set_access(&self, access: &Access) -> Result<Document> {
        access.check()?;
        self.put(ACCESS_KIND, ACCESS_NAME, access).await
    }

    /// The access rules; `None` if there are none, and everyone may do everything.
    ///
    /// # Errors
    /// `Corrupt` if what is stored are no access rules.
    pub async fn access(&self) -> Result<Option<Access>> {
        Ok(self.read(ACCESS_KIND, ACCESS_NAME).await?.map(|(_, access)| access))
    }

    async fn put(&self, kind: &str, name: &str, value: &impl Serialize) -> Result<Document> {
        let body = serde_json::to_value(value).map_err(|e| {
            Error::new(ErrorKind::Internal, "catalog.put", "a document is no JSON").with_source(e)
        })?;
        self.catalog().put_document(PutDocument::new(Key::new(kind)?, Key::new(name)?, body)).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        kind: &str,
        name: &str,
    ) -> Result<Option<(Document, T)>> {
        let document = self.catalog().document(&Key::new(kind)?, &Key::new(name)?).await?;
        let Some(document) = document else { return Ok(None) };
        let Some(value) = parse(&document)? else { return Ok(None) };
        Ok(Some((document, value)))
    }
}

/// What a document says; `None` if it is deleted.
pub(super) fn parse<T: DeserializeOwned>(document: &Document) -> Result<Option<T>> {
    let read = |body| {
        T::deserialize(body).map_err(|e| {
            Error::corrupt("catalog.document", "a document does not say what its kind demands")
                .with("document", format!("{}/{}", document.kind, document.name))
                .with("version", document.version)
                .with_hint("store it again through the library, which checks it")
                .with_source(e)
        })
    };
    document.body.as_ref().map(read).transpose()
}
