//! The SQL executions, put together from the pages in which Spark lists them.
//!
//! Pure: the client asks for the page that is named here and hands it in. Every
//! row counts, because an old one may still run, and because there is no filter
//! by status. Rows that Spark forgets meanwhile move the others to the front, so
//! each page begins with the last row of the one before, and a list that has
//! moved is refused.

use super::answers::SqlExecution;
use super::{SQL_DEFAULT_ROWS, refuse, runs_sql};
use crate::signals::Why;

/// Rows of a page. Descriptions are the users' texts, and a page has a cap of bytes.
pub const SQL_PAGE: usize = 250;

/// Rows beyond which the list is given up; Spark retains 1000 unless told otherwise.
const MOST_ROWS: usize = 10_000;

/// The pages so far.
#[derive(Debug, Default)]
pub struct SqlListing {
    rows: Vec<SqlExecution>,
}

impl SqlListing {
    /// The row at which the next page begins.
    #[must_use]
    pub fn next_offset(&self) -> usize {
        self.rows.len().saturating_sub(1)
    }

    /// Takes a page in. Whether another has to be asked for: not where this was
    /// the last, nor where it shows work.
    ///
    /// # Errors
    /// The page does not continue the ones before, or there are too many.
    pub fn add(&mut self, page: Vec<SqlExecution>) -> Result<bool, Why> {
        // Where the question lost its parameters on the way, this is all that will ever come.
        let is_as_asked = page.len() <= SQL_PAGE && !page.iter().any(SqlExecution::has_details);
        // So many rows come, too, where only the length was lost.
        let is_short = page.len() < SQL_PAGE && page.len() != SQL_DEFAULT_ROWS;
        let is_last = is_short || !is_as_asked || runs_sql(&page);
        match self.rows.last() {
            None => self.rows = page,
            Some(last) if page.first().is_some_and(|first| first.id == last.id) => {
                self.rows.extend(page.into_iter().skip(1));
            }
            Some(_) => return refuse("the SQL executions changed while they were listed"),
        }
        if !is_last && self.rows.len() >= MOST_ROWS {
            return refuse(format!("there are more than {MOST_ROWS} SQL executions"));
        }
        Ok(!is_last)
    }

    /// All rows, in the order in which they were listed.
    #[must_use]
    pub fn into_rows(self) -> Vec<SqlExecution> {
        self.rows
    }
}

#[cfg(test)]
mod tests;
