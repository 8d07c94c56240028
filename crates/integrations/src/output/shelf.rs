//! Where sealed outputs are kept: a folder beside the runs, and a bucket once one is configured.

use std::{ops::Range, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use object_store::{
    Error as StoreError, ObjectStore, ObjectStoreExt as _, RetryConfig, aws::AmazonS3Builder,
    buffered::BufWriter, local::LocalFileSystem, path::Path as Key, prefix::PrefixStore,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::runtime::Handle;
use url::Url;

use super::{
    OutputError, disk,
    http::{Road, reason},
};
use crate::file;

/// How the folder is called in records, wherever it lies.
const FOLDER: &str = "folder";
/// Bytes sent at once; S3 takes no smaller part but the last.
const PART: usize = 8 << 20;

/// A bucket of S3 or of something that speaks like it.
#[derive(Debug, Clone)]
pub struct S3 {
    /// `None` for Amazon's own.
    pub endpoint: Option<Url>,
    pub region: String,
    pub bucket: String,
    /// Put before every key; may be empty.
    pub prefix: String,
    /// Key id and secret; `None` for the role of the machine.
    pub keys: Option<(String, SecretString)>,
}

/// Where sealed outputs are kept. Its calls wait: use it where blocking is allowed, within a runtime. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
    local: Arc<dyn ObjectStore>,
    bucket: Option<(String, Arc<dyn ObjectStore>)>,
}

impl Shelf {
    /// Keeps sealed outputs in `folder`, or in a bucket where one is given; what lies in the folder stays readable.
    pub fn new(folder: PathBuf, s3: Option<S3>) -> Result<Self, OutputError> {
        file::private_folder(&folder).map_err(disk(&folder))?;
        let unusable = |place: &str, why: StoreError| OutputError::Store {
            place: place.to_owned(),
            why: reason(&why),
        };
        let local = LocalFileSystem::new_with_prefix(&folder)
            .map_err(|why| unusable(&folder.to_string_lossy(), why))?
            .with_fsync(true);
        let bucket = match s3 {
            Some(s3) => {
                // Without its address: a store may move.
                let place = format!("s3://{}/{}", s3.bucket, s3.prefix);
                let store = bucket(s3).map_err(|why| unusable(&place, why))?;
                Some((place, store))
            }
            None => None,
        };
        Ok(Self {
            folder,
            local: Arc::new(local),
            bucket,
        })
    }

    /// Where what is sealed now goes.
    pub(super) fn place(&self) -> &str {
        self.bucket
            .as_ref()
            .map_or(FOLDER, |(place, _)| place.as_str())
    }

    fn store(&self, place: &str) -> Result<&Arc<dyn ObjectStore>, OutputError> {
        match &self.bucket {
            _ if place == FOLDER => Ok(&self.local),
            Some((known, store)) if known == place => Ok(store),
            _ => Err(OutputError::Elsewhere {
                place: place.to_owned(),
            }),
        }
    }

    fn failed(&self, place: &str, key: &str, why: &StoreError) -> OutputError {
        let place = match place {
            FOLDER => self.folder.to_string_lossy().into_owned(),
            place => place.to_owned(),
        };
        match why {
            StoreError::NotFound { .. } => OutputError::Damaged {
                place,
                key: key.to_owned(),
            },
            why => OutputError::Store {
                place,
                why: reason(why),
            },
        }
    }

    pub(super) fn read(
        &self,
        place: &str,
        key: &str,
        range: Range<u64>,
    ) -> Result<Bytes, OutputError> {
        let store = self.store(place)?;
        wait(store.get_range(&Key::from(key), range)).map_err(|why| self.failed(place, key, &why))
    }

    /// Writes an object out of the pieces that `next` gives; it is there when this returns, and not at all before.
    pub(super) fn write(
        &self,
        key: &str,
        mut next: impl FnMut() -> Result<Option<Vec<u8>>, OutputError>,
    ) -> Result<(), OutputError> {
        let place = self.place();
        let store = self.store(place)?;
        let mut writer = BufWriter::with_capacity(Arc::clone(store), Key::from(key), PART)
            .with_max_concurrency(2);
        let failed = |why: StoreError| self.failed(place, key, &why);
        loop {
            match next() {
                Ok(Some(piece)) => {
                    if let Err(why) = wait(writer.put(piece.into())) {
                        let _ = wait(writer.abort());
                        return Err(failed(why));
                    }
                }
                Ok(None) => {
                    let done = wait(tokio::io::AsyncWriteExt::shutdown(&mut writer));
                    return done.map_err(|why| OutputError::Store {
                        place: place.to_owned(),
                        why: reason(&why),
                    });
                }
                Err(why) => {
                    let _ = wait(writer.abort());
                    return Err(why);
                }
            }
        }
    }

    /// Removes an object; one that is gone already counts as removed.
    pub(super) fn remove(&self, place: &str, key: &str) -> Result<(), OutputError> {
        match wait(self.store(place)?.delete(&Key::from(key))) {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(why) => Err(self.failed(place, key, &why)),
        }
    }

    /// Removes what an interrupted sealing may have left in the folder for one run. A bucket clears up by itself, by a
    /// rule for incomplete uploads.
    pub(super) fn clear(&self, run: &str) -> Result<(), OutputError> {
        let folder = self.folder.join(run);
        match std::fs::remove_dir_all(&folder) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(disk(folder)(why)),
            _ => Ok(()),
        }
    }
}

fn bucket(s3: S3) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(s3.bucket)
        .with_region(s3.region)
        .with_http_connector(Road)
        // Not everything that speaks like S3 deletes many at once.
        .with_disable_bulk_delete(true)
        .with_retry(RetryConfig {
            max_retries: 2,
            retry_timeout: Duration::from_secs(10),
            ..RetryConfig::default()
        });
    if let Some((id, secret)) = s3.keys {
        builder = builder
            .with_access_key_id(id)
            .with_secret_access_key(secret.expose_secret());
    }
    if let Some(endpoint) = s3.endpoint {
        // Whether plain HTTP is safe was decided when the setting was checked.
        builder = builder
            .with_allow_http(endpoint.scheme() == "http")
            .with_endpoint(endpoint.as_str().trim_end_matches('/'));
    }
    Ok(Arc::new(PrefixStore::new(builder.build()?, s3.prefix)))
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    Handle::current().block_on(work)
}
