//! The tokens of one sweep, by principal, and which of them could not be had.
//!
//! Who asks gets the tokens of one principal and has no way to another's. A
//! principal that fails is one failure per audience, however many workspaces and
//! clusters lack the token.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use crate::identity::{
    Audience, Identities, Identity, PrincipalName, Token, TokenError, TokenErrorKind, TokenSource,
};
use crate::report::{Failure, FailureKind};
use crate::workspace::Workspace;

/// The tokens of every principal.
#[derive(Debug)]
pub(crate) struct Tokens {
    by_name: BTreeMap<PrincipalName, Arc<Recording>>,
    /// Whether a failure has to say whose it is.
    are_several: bool,
}

impl Tokens {
    /// Those of `identities`, and of whoever else these workspaces name: one that
    /// nobody set up has no token, which fails like any other that can't be had.
    pub(super) fn over(identities: &Identities, workspaces: &[Workspace]) -> Self {
        let recordings = identities.iter().map(|(name, identity)| {
            let recording = Recording::over(Some(identity.clone()));
            (name.clone(), Arc::new(recording))
        });
        let mut by_name: BTreeMap<_, _> = recordings.collect();
        for workspace in workspaces {
            let names = [
                Some(&workspace.principal),
                workspace.spark_principal.as_ref(),
            ];
            for name in names.into_iter().flatten() {
                by_name
                    .entry(name.clone())
                    .or_insert_with(|| Arc::new(Recording::over(None)));
            }
        }
        Self {
            are_several: by_name.len() > 1,
            by_name,
        }
    }

    /// The tokens of this principal, and of no other.
    pub(crate) fn of(&self, name: &PrincipalName) -> Arc<dyn TokenSource> {
        match self.by_name.get(name) {
            Some(recording) => Arc::clone(recording) as Arc<dyn TokenSource>,
            None => Arc::new(Recording::over(None)),
        }
    }

    /// Whether there is a token for Databricks, without which none of the
    /// principal's workspaces need be asked. Why not is among the failures.
    pub(crate) async fn has_first(&self, name: &PrincipalName, deadline: Instant) -> bool {
        let Some(recording) = self.by_name.get(name) else {
            return false;
        };
        match timeout_at(deadline, recording.token(Audience::Databricks)).await {
            Ok(token) => token.is_ok(),
            Err(_) => {
                let mut record = recording.record();
                record.is_late = true;
                false
            }
        }
    }

    /// What is told of a workspace that is not asked because of its principal.
    pub(super) fn why_not_asked(&self, name: &PrincipalName) -> String {
        if self.are_several {
            format!("not asked, because there is no token for Databricks for principal `{name}`")
        } else {
            "not asked, because there is no token for Databricks".to_owned()
        }
    }

    /// One failure for each principal and audience without a token.
    pub(crate) fn failures(&self) -> Vec<Failure> {
        let of_one = |(name, recording): (&PrincipalName, &Arc<Recording>)| {
            let whose = if self.are_several {
                format!("principal `{name}`: ")
            } else {
                String::new()
            };
            recording.failures(&whose)
        };
        self.by_name.iter().flat_map(of_one).collect()
    }
}

/// Remembers which tokens of one principal could not be had, so that the sweep fails
/// for each once.
#[derive(Debug)]
struct Recording {
    inner: Option<Identity>,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    refused: BTreeMap<Audience, TokenError>,
    /// Whether the sweep's time was up before the first token was there.
    is_late: bool,
}

impl Recording {
    fn over(inner: Option<Identity>) -> Self {
        Self {
            inner,
            record: Mutex::default(),
        }
    }

    fn record(&self) -> std::sync::MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failures(&self, whose: &str) -> Vec<Failure> {
        let record = self.record();
        let failure = |kind, sentence| Failure {
            kind,
            workspace: None,
            cluster: None,
            sentence,
        };
        let late = record.is_late.then(|| {
            let sentence =
                format!("{whose}the sweep's time was up before there was a token for Databricks");
            failure(FailureKind::Deadline, sentence)
        });
        let refused = record.refused.iter().map(|(audience, error)| {
            let kind = match error.kind {
                TokenErrorKind::Secret => FailureKind::Settings,
                TokenErrorKind::Refused | TokenErrorKind::Unavailable => FailureKind::Token,
            };
            let sentence = format!("{whose}no token for {}: {error}", audience.name());
            failure(kind, sentence)
        });
        late.into_iter().chain(refused).collect()
    }
}

#[async_trait]
impl TokenSource for Recording {
    async fn token(&self, audience: Audience) -> Result<Token, TokenError> {
        let token = match &self.inner {
            Some(identity) => identity.token(audience).await,
            None => Err(unknown()),
        };
        if let Err(error) = &token {
            self.record().refused.insert(audience, error.clone());
        }
        token
    }

    fn drop_token(&self, audience: Audience, token: &Token) {
        if let Some(identity) = &self.inner {
            identity.drop_token(audience, token);
        }
    }
}

fn unknown() -> TokenError {
    TokenError {
        kind: TokenErrorKind::Secret,
        aadsts: None,
        sentence: "no principal of that name is set up".to_owned(),
    }
}
