//! What a driver of files is asked for, off the async threads.

use std::collections::BTreeMap;

use super::FileTree;
use crate::domain::artifact::Artifact;
use crate::driver::{Closeness, Drifted, DriverError, Foreign, Staged, StagedFile};

impl FileTree {
    /// [`FileTree::stage`].
    pub async fn stage_generation(
        &self,
        generation: i64,
        files: BTreeMap<Artifact, StagedFile>,
    ) -> Result<Staged, DriverError> {
        let what = format!("writing a generation into {}", self.root.display());
        self.on_disk(&what, move |tree| tree.stage(generation, files))
            .await
    }

    /// [`FileTree::drifted`].
    pub async fn compare_live(
        &self,
        files: BTreeMap<Artifact, StagedFile>,
        closeness: Closeness,
    ) -> Result<BTreeMap<Artifact, Drifted>, DriverError> {
        self.on_disk("comparing the live files", move |tree| {
            tree.drifted(&files, closeness)
        })
        .await
    }

    /// [`FileTree::live_text`].
    pub async fn read_live(&self, file: Artifact, limit: u64) -> Result<Option<String>, DriverError> {
        self.on_disk("reading a live file", move |tree| tree.live_text(file, limit))
            .await
    }

    /// [`FileTree::foreign`].
    pub async fn look_around(&self, limit: u64) -> Result<Vec<Foreign>, DriverError> {
        self.on_disk("looking at our directory", move |tree| tree.foreign(limit))
            .await
    }

    /// [`FileTree::swap`].
    pub async fn move_link(&self, generation: i64) -> Result<(), DriverError> {
        self.on_disk("moving the live link", move |tree| tree.swap(generation))
            .await
    }

    /// [`FileTree::standing`].
    pub async fn read_link(&self) -> Result<Option<i64>, DriverError> {
        self.on_disk("reading the live link", |tree| tree.standing())
            .await
    }

    /// [`FileTree::unplace_empty`].
    pub async fn take_back(&self) -> Result<(), DriverError> {
        self.on_disk("taking the live link away", |tree| tree.unplace_empty())
            .await
    }

    /// [`FileTree::set_aside`].
    pub async fn set_link_aside(&self) -> Result<(), DriverError> {
        self.on_disk("setting the live link aside", |tree| tree.set_aside())
            .await
    }

    /// [`FileTree::put_back`].
    pub async fn put_link_back(&self) -> Result<(), DriverError> {
        self.on_disk("putting the live link back", |tree| tree.put_back())
            .await
    }

    /// [`FileTree::leave`].
    pub async fn leave_it(&self) -> Result<(), DriverError> {
        self.on_disk("removing our files", |tree| tree.leave()).await
    }

    /// [`FileTree::keep_only`].
    pub async fn clean_up(&self, generations: &[i64]) -> Result<(), DriverError> {
        let generations = generations.to_vec();
        self.on_disk("removing old generations", move |tree| {
            tree.keep_only(&generations)
        })
        .await
    }
}
