//! One Slipway per data folder.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

/// Held for as long as the process serves; the system lets go of it however the process ends.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

/// Why the data folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error(
        "Another Slipway already works in the data folder {folder}. Stop it first, or give this one a folder of its own with the setting data_dir (SLIPWAY_DATA_DIR)."
    )]
    Taken { folder: String },
    #[error(
        "The data folder {folder} cannot be used: {why}. Create it, let the user who runs Slipway write to it, or set data_dir (SLIPWAY_DATA_DIR) to another."
    )]
    Unusable { folder: String, why: std::io::Error },
}

/// Creates the folder where it is missing, for this user only, and locks it.
pub fn lock(folder: &Path) -> Result<DataLock, LockError> {
    let shown = || folder.display().to_string();
    let unusable = |why| LockError::Unusable {
        folder: shown(),
        why,
    };
    let existed = folder.is_dir();
    fs::create_dir_all(folder).map_err(unusable)?;
    if !existed {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(unusable)?;
    }
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("serve.lock"))
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(DataLock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(LockError::Taken { folder: shown() }),
        Err(TryLockError::Error(why)) => Err(unusable(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_told_where_the_first_works() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        let refusal = lock(folder.path()).unwrap_err().to_string();
        assert!(
            refusal.contains(&folder.path().display().to_string()) && refusal.contains("data_dir"),
            "{refusal}"
        );
        drop(first);
        lock(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_that_is_a_file_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(lock(file.path()), Err(LockError::Unusable { .. })));
    }
}
