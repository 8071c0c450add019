//! [`StorageMode`]: where the data lives, and which URLs are refused.
//!
//! This module alone decides whether a URL is local or S3. The store opens the location.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

/// Where an engine keeps its tables.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum StorageMode {
    /// In memory: gone when the engine is dropped.
    #[default]
    InMemory,
    /// Durable Vortex files below a local folder or an S3-compatible prefix.
    ///
    /// Accepted: a path (`/data/olap`, `./olap`), a `file://` URL and, with the feature `cloud-storage`,
    /// `s3://bucket/prefix`. With the feature `rhei` a URL may end with `?rhei_cycle=commit`: then each cycle of Rhei's
    /// sync is one commit (`EngineBuilder::commit_rhei_cycles`).
    Vortex {
        /// The folder or URL.
        url: String,
    },
}

/// The location that the URL of [`StorageMode::Vortex`] names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VortexLocation {
    /// A local folder.
    Local {
        /// Its path.
        base_path: PathBuf,
    },
    /// An S3-compatible bucket and prefix; needs the feature `cloud-storage`.
    #[cfg(any(feature = "cloud-storage", doc))]
    S3 {
        /// The URL, without a query part.
        url: String,
    },
}

impl fmt::Debug for StorageMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InMemory => f.write_str("InMemory"),
            Self::Vortex { url } => f
                .debug_struct("Vortex")
                .field("url", &redacted(url))
                .finish(),
        }
    }
}

/// The query part of a URL that makes each cycle of Rhei's sync one commit.
const RHEI_CYCLE: &str = "rhei_cycle=commit";

/// A URL without its query part, and that part.
fn split_query(url: &str) -> (&str, Option<&str>) {
    match url.split_once('?') {
        Some((url, query)) => (url, Some(query)),
        None => (url, None),
    }
}

/// A URL for messages, with what may be a secret replaced by `…`: credentials, and an unknown query part.
fn redacted(url: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Cow::Borrowed(url);
    };
    if let (url, Some(query)) = split_query(url)
        && query != RHEI_CYCLE
    {
        return Cow::Owned(match query.contains('@') {
            // The question mark may be one of a password.
            true => format!("{scheme}://…"),
            false => format!("{}?…", redacted(url)),
        });
    }
    let host_end = rest.find('/').unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        Some(at) => Cow::Owned(format!("{scheme}://…{}", &rest[at..])),
        None => Cow::Borrowed(url),
    }
}

impl StorageMode {
    /// True if this mode keeps its data in an S3-compatible store. Always false without the feature `cloud-storage`.
    pub fn is_cloud(&self) -> bool {
        #[cfg(feature = "cloud-storage")]
        return matches!(self.classify(), Ok(Some(VortexLocation::S3 { .. })));
        #[cfg(not(feature = "cloud-storage"))]
        false
    }

    /// The location that the URL names; `None` in memory.
    ///
    /// # Errors
    /// A message that names the scheme or the URL, if it cannot be used.
    pub fn classify(&self) -> Result<Option<VortexLocation>, String> {
        let Self::Vortex { url } = self else {
            return Ok(None);
        };
        if url.trim().is_empty() {
            return Err("the storage URL is empty; give a folder or a URL".to_string());
        }
        let named = redacted(url);
        let Some((scheme, _)) = url.split_once("://") else {
            return Ok(Some(VortexLocation::Local {
                base_path: PathBuf::from(url),
            }));
        };
        let (url, query) = split_query(url);
        match query {
            None => {}
            Some(RHEI_CYCLE) if cfg!(feature = "rhei") => {}
            Some(RHEI_CYCLE) => {
                return Err(format!(
                    "'?{RHEI_CYCLE}' in '{named}' requires the 'rhei' feature"
                ));
            }
            Some(_) => {
                return Err(format!(
                    "'{named}' has a query part that is not known: the only one is '?{RHEI_CYCLE}'. Give a path, not a \
                     URL, for a folder with a question mark in its name"
                ));
            }
        }
        let rest = &url[scheme.len() + "://".len()..];
        match scheme.to_ascii_lowercase().as_str() {
            "file" => local_path(url).map(|base_path| Some(VortexLocation::Local { base_path })),
            "s3" if rest.trim_matches('/').is_empty() => Err(format!(
                "'{named}' names no bucket; write s3://bucket/prefix"
            )),
            #[cfg(feature = "cloud-storage")]
            "s3" if redacted(url) != url => Err(format!(
                "'{named}' holds credentials; give them in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or to the builder"
            )),
            #[cfg(feature = "cloud-storage")]
            "s3" => Ok(Some(VortexLocation::S3 {
                url: url.to_string(),
            })),
            #[cfg(not(feature = "cloud-storage"))]
            "s3" => Err(format!(
                "S3 URL '{named}' requires the 'cloud-storage' feature"
            )),
            _ => Err(format!(
                "unsupported storage URL scheme '{scheme}://' in '{named}'. Use a local path, 'file://', or (with the \
                 cloud-storage feature) 's3://'"
            )),
        }
    }

    /// Whether the URL says that each cycle of Rhei's sync is one commit.
    #[cfg(feature = "rhei")]
    pub(crate) fn commits_rhei_cycles(&self) -> bool {
        matches!(self, Self::Vortex { url } if url.contains("://") && split_query(url).1 == Some(RHEI_CYCLE))
    }

    /// The local folder, where the mode has one.
    pub fn local_base_path(&self) -> Option<PathBuf> {
        match self.classify() {
            Ok(Some(VortexLocation::Local { base_path })) => Some(base_path),
            _ => None,
        }
    }

    /// The URL of an S3-compatible store, where the mode has one. Needs the feature `cloud-storage`.
    #[cfg(any(feature = "cloud-storage", doc))]
    pub fn cloud_base_url(&self) -> Option<&str> {
        match self {
            Self::Vortex { url } if self.is_cloud() => Some(split_query(url).0),
            _ => None,
        }
    }

    /// The extension of data files: empty in memory, `vortex` otherwise.
    pub fn file_extension(&self) -> &'static str {
        match self {
            Self::InMemory => "",
            Self::Vortex { .. } => "vortex",
        }
    }
}

/// The path of a `file://` URL, percent-decoded. `file://relative` is accepted, as in the public crate.
fn local_path(url: &str) -> Result<PathBuf, String> {
    match url::Url::parse(url) {
        Ok(parsed) if parsed.host_str().is_none() => {
            file_path(&parsed).ok_or_else(|| format!("'{url}' is not the URL of a local folder"))
        }
        _ => Ok(PathBuf::from(&url["file://".len()..])),
    }
}

#[cfg(any(unix, windows))]
fn file_path(url: &url::Url) -> Option<PathBuf> {
    url.to_file_path().ok()
}

/// This target has no local folders.
#[cfg(not(any(unix, windows)))]
fn file_path(_: &url::Url) -> Option<PathBuf> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vortex(url: &str) -> StorageMode {
        StorageMode::Vortex { url: url.into() }
    }

    #[test]
    fn memory_is_the_default_and_has_no_place() {
        assert_eq!(StorageMode::default(), StorageMode::InMemory);
        assert_eq!(StorageMode::InMemory.classify(), Ok(None));
        assert_eq!(StorageMode::InMemory.file_extension(), "");
        assert!(!StorageMode::InMemory.is_cloud());
    }

    #[test]
    fn paths_and_file_urls_are_local() {
        for (url, path) in [
            ("/tmp/rhei-data", "/tmp/rhei-data"),
            ("./data/olap", "./data/olap"),
            ("file:///tmp/rhei-vortex", "/tmp/rhei-vortex"),
            ("file:///tmp/with%20space", "/tmp/with space"),
            ("FILE:///tmp/x", "/tmp/x"),
        ] {
            assert_eq!(
                vortex(url).local_base_path(),
                Some(PathBuf::from(path)),
                "{url}"
            );
        }
    }

    #[test]
    fn other_schemes_are_refused_by_name() {
        for scheme in ["gs", "http", "https", "az", "azure", "ftp"] {
            let refused = vortex(&format!("{scheme}://place/prefix"))
                .classify()
                .unwrap_err();
            assert!(
                refused.contains("unsupported storage URL scheme"),
                "{refused}"
            );
            assert!(refused.contains(&format!("'{scheme}://'")), "{refused}");
        }
        assert!(vortex("").classify().is_err());
        assert!(vortex("s3:///").classify().is_err());
    }

    #[cfg(feature = "cloud-storage")]
    #[test]
    fn s3_is_cloud() {
        let mode = vortex("s3://bucket/prefix");
        assert!(mode.is_cloud());
        assert_eq!(mode.cloud_base_url(), Some("s3://bucket/prefix"));
        assert_eq!(mode.file_extension(), "vortex");
    }

    #[cfg(not(feature = "cloud-storage"))]
    #[test]
    fn s3_without_the_feature_says_so() {
        assert!(
            vortex("s3://bucket/prefix")
                .classify()
                .unwrap_err()
                .contains("cloud-storage")
        );
    }
}
