//! Where a record goes: a new folder, files that only their owner can read.
//!
//! Nothing is overwritten: a folder that holds anything is refused. What is written are
//! the types of `record`, which can hold no text from outside.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::WorkspaceRecord;

const README: &str = "\
What `terminate-clusters doctor --record` has written here
===========================================================

One file per workspace, numbered in the order of the policy. Each tells how the services
answered questions whose answers nobody has published yet: status, content type, names of
headers and JSON members, types, lengths of texts, counts, and times taken.

What is not in them: values. No name, id, address, tag, setting, user, text, token or
secret; a key that is no word of the services' own documentation stands as `<key>`, and of
pages only the order of elements and the presence of known phrases. The program's types
for a record have no place for text from outside, and its tests plant markers everywhere
in the answers and look for them in these files.

Still, read them before you send them: they are text. If you agree with every line,
attach the files to an issue of the project, or pack the folder and send it to whoever
asked you for it. Nothing has been sent by the program itself.
";

/// A folder that is ours.
#[derive(Debug)]
pub struct Target {
    folder: PathBuf,
}

/// Why nothing, or not everything, was written.
#[derive(Debug, Error)]
pub enum WriteError {
    #[error("--record {0} holds files already; name a new or an empty folder")]
    NotEmpty(String),
    #[error("--record {0} cannot be used: {1}")]
    Unusable(String, io::Error),
}

impl Target {
    /// Makes the folder, or takes an empty one.
    ///
    /// # Errors
    ///
    /// It holds anything, or cannot be made.
    pub fn prepare(folder: &Path) -> Result<Self, WriteError> {
        let shown = || folder.display().to_string();
        let unusable = |error| WriteError::Unusable(shown(), error);
        match make(folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let mut entries = fs::read_dir(folder).map_err(unusable)?;
                if entries.next().is_some() {
                    return Err(WriteError::NotEmpty(shown()));
                }
            }
            Err(error) => return Err(unusable(error)),
        }
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Writes the records, and a text that says what they are. Gives the files' names.
    ///
    /// # Errors
    ///
    /// A file could not be written; those before it are there.
    pub fn write(&self, records: &[WorkspaceRecord]) -> Result<Vec<String>, WriteError> {
        let mut written = Vec::new();
        let mut file = |name: String, text: &str| {
            let path = self.folder.join(&name);
            let result = create(&path).and_then(|mut file| file.write_all(text.as_bytes()));
            match result {
                Ok(()) => {
                    written.push(name);
                    Ok(())
                }
                Err(error) => Err(WriteError::Unusable(path.display().to_string(), error)),
            }
        };
        file("README.txt".to_owned(), README)?;
        for (number, record) in (1..).zip(records) {
            let mut text = serde_json::to_string_pretty(record).unwrap_or_default();
            text.push('\n');
            file(format!("workspace-{number}.json"), &text)?;
        }
        Ok(written)
    }
}

#[cfg(unix)]
fn make(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new().mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().create(folder)
}

#[cfg(unix)]
fn create(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_holds_anything_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("theirs"), "x").unwrap();
        let refused = Target::prepare(home.path()).unwrap_err();
        assert!(
            refused.to_string().contains("holds files already"),
            "{refused}"
        );
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        let file = home.path().join("theirs");
        assert!(matches!(
            Target::prepare(&file),
            Err(WriteError::Unusable(..))
        ));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_what_is_written() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("new");
        let target = Target::prepare(&folder).unwrap();
        let names = target.write(&[WorkspaceRecord::default()]).unwrap();
        assert_eq!(names, ["README.txt", "workspace-1.json"]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        for name in names {
            assert_eq!(mode(&folder.join(name)), 0o600);
        }
        // A second record does not overwrite the first.
        assert!(target.write(&[]).is_err());
    }
}
