//! The listings of clusters: those that run, and those that are pinned.
//!
//! An item that is no cluster that we understand stays in the listing as such,
//! and a page that fails ends it without losing what the pages before it held:
//! both are the report's to tell. Which cluster may be stopped is not asked here.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::paging::{CutShort, Pages};
use super::{Call, Databricks, PAGE_CAP, wire};
use crate::cluster::{Cluster, ClusterId};
use crate::service::{CallError, Stage};

const VERB: &str = "list clusters";
const PATH: &str = "api/2.1/clusters/list";

/// Pages of 100 clusters; a workspace runs hundreds of clusters at the most.
const LISTING_PAGES: usize = 200;

/// Both states in which a cluster does its work, and both sources that are
/// all-purpose. Without the filters one workspace took 6 minutes to list, almost
/// all of it terminated job clusters (databricks/cli#1701).
const RUNNING: [(&str, &str); 5] = [
    ("filter_by.cluster_states", "RUNNING"),
    ("filter_by.cluster_states", "RESIZING"),
    ("filter_by.cluster_sources", "UI"),
    ("filter_by.cluster_sources", "API"),
    PAGE_SIZE,
];

const ALL_PURPOSE: [(&str, &str); 3] = [
    ("filter_by.cluster_sources", "UI"),
    ("filter_by.cluster_sources", "API"),
    PAGE_SIZE,
];

const PINNED: [(&str, &str); 2] = [("filter_by.is_pinned", "true"), PAGE_SIZE];

/// The largest that the server honours.
const PAGE_SIZE: (&str, &str) = ("page_size", "100");

/// One item of the cluster list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    Parsed(Box<Cluster>),
    /// An item that is no cluster that we understand.
    Unparsed {
        /// Its id, if it has a readable one.
        id: Option<String>,
        /// One clause; may repeat text from outside.
        why: String,
    },
}

/// The running all-purpose clusters that the principal can see; each id once.
#[derive(Debug)]
pub struct ClusterListing {
    pub clusters: Vec<Listed>,
    /// Why the listing ended before its end, if it did.
    pub complete: Result<(), CallError>,
    /// How many pages were read, the failing one included.
    pub pages: usize,
}

#[derive(Deserialize)]
struct ClusterPage {
    clusters: Option<Vec<Box<RawValue>>>,
    next_page_token: Option<String>,
}

impl Databricks {
    /// Lists the RUNNING and RESIZING clusters of source UI and API, all pages.
    pub async fn list_clusters(&self) -> ClusterListing {
        let mut items = Items::default();
        let (complete, pages) = self
            .each_cluster(&RUNNING, |raw| {
                items.add(raw);
                Ok(())
            })
            .await;
        ClusterListing {
            clusters: items.list,
            complete,
            pages,
        }
    }

    /// The ids of all pinned clusters, in whatever state they are.
    ///
    /// # Errors
    ///
    /// Any failing page, and any item without a readable id: a pin that is not
    /// seen would not protect.
    pub async fn pinned_ids(&self) -> Result<BTreeSet<ClusterId>, CallError> {
        let mut ids = BTreeSet::new();
        let (complete, _) = self
            .each_cluster(&PINNED, |raw| {
                ids.insert(wire::cluster_id(raw).ok_or("a pinned cluster has no readable id")?);
                Ok(())
            })
            .await;
        complete.map(|()| ids)
    }

    /// The id and the name of every all-purpose cluster, in whatever state it is: one
    /// that is terminated can be started again by whoever may.
    ///
    /// # Errors
    ///
    /// Any failing page, and any item without a readable id.
    pub async fn all_purpose_clusters(&self) -> Result<Vec<(ClusterId, String)>, CallError> {
        #[derive(Deserialize)]
        struct Named {
            cluster_name: Option<String>,
            cluster_source: Option<String>,
        }
        let mut found: BTreeMap<ClusterId, String> = BTreeMap::new();
        let (complete, _) = self
            .each_cluster(&ALL_PURPOSE, |raw| {
                let id = wire::cluster_id(raw).ok_or("a cluster has no readable id")?;
                let named: Named = serde_json::from_str(raw.get())
                    .map_err(|_| "a cluster has no readable name or source")?;
                // The filter's word alone is not enough, as in a sweep.
                if matches!(named.cluster_source.as_deref(), Some("UI" | "API")) {
                    found.insert(id, named.cluster_name.unwrap_or_default());
                }
                Ok(())
            })
            .await;
        complete.map(|()| found.into_iter().collect())
    }

    /// Hands every item of every page to `take`; returns how it ended and how
    /// many pages were asked for.
    async fn each_cluster(
        &self,
        filter: &[(&str, &str)],
        mut take: impl FnMut(&RawValue) -> Result<(), &'static str> + Send,
    ) -> (Result<(), CallError>, usize) {
        let mut pages = Pages::new(LISTING_PAGES);
        let mut token: Option<String> = None;
        let ended = loop {
            if let Err(cut) = pages.take_one() {
                break Err(self.cut_short(&cut));
            }
            let page = match self.cluster_page(filter, token.as_deref()).await {
                Ok(page) => page,
                Err(error) => break Err(error),
            };
            let mut items = page.clusters.iter().flatten();
            if let Err(why) = items.try_for_each(|raw| take(raw)) {
                break Err(self.unusable(VERB, PATH, why.to_owned()));
            }
            match pages.next(page.next_page_token, None) {
                Ok(Some(next)) => token = Some(next),
                Ok(None) => break Ok(()),
                Err(cut) => break Err(self.cut_short(&cut)),
            }
        };
        (ended, pages.read())
    }

    async fn cluster_page(
        &self,
        filter: &[(&str, &str)],
        token: Option<&str>,
    ) -> Result<ClusterPage, CallError> {
        let mut query = filter.to_vec();
        query.extend(token.map(|token| ("page_token", token)));
        let call = Call {
            verb: VERB,
            stage: Stage::Clusters,
            path: PATH,
            query: &query,
            body: None,
            body_cap: PAGE_CAP,
            until: None,
        };
        self.send(call).await
    }

    fn cut_short(&self, cut: &CutShort) -> CallError {
        let why = match cut {
            CutShort::Broken(why) => (*why).to_owned(),
            CutShort::Cap => format!("there are more than {LISTING_PAGES} pages"),
        };
        self.unusable(VERB, PATH, why)
    }
}

/// The items so far, in the order in which their ids first came.
#[derive(Debug, Default)]
struct Items {
    list: Vec<Listed>,
    places: BTreeMap<ClusterId, usize>,
}

impl Items {
    /// Paging is no snapshot: an id that comes again is the fresher record,
    /// unless one of the two could not be read, which then stands.
    fn add(&mut self, raw: &RawValue) {
        let (id, item) = match wire::cluster(raw) {
            Ok(cluster) => (Some(cluster.id.clone()), Listed::Parsed(Box::new(cluster))),
            Err(wire::NotParsed { id, why }) => {
                let text = id.as_ref().map(|id| id.as_str().to_owned());
                (id, Listed::Unparsed { id: text, why })
            }
        };
        let known = id.as_ref().and_then(|id| self.places.get(id).copied());
        match known.and_then(|place| self.list.get_mut(place)) {
            Some(Listed::Unparsed { .. }) => {}
            Some(earlier @ Listed::Parsed(_)) => *earlier = item,
            None => {
                if let Some(id) = id {
                    self.places.insert(id, self.list.len());
                }
                self.list.push(item);
            }
        }
    }
}
