//! The steps that add what a guest needs and an image of containers lacks, to the kept part as well.

use serde_json::Value;

use super::{Options, Prepared, done};
use crate::error::{Error, ErrorKind, Result};
use crate::log::Report;
use crate::transform::guest_files;
use crate::transform::image_config::{self, Place};

/// Adds the mount points and files of `/etc`, if that is requested.
pub(super) fn files(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    if !options.recipe.guest_files {
        return done(());
    }
    let time = options.recipe.time_of_changes();
    done(guest_files::apply(&mut prepared.tree, &guest_files::Options { time })?)
}

/// Writes the settings of containers.
pub(super) fn image_config(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let recipe = options.recipe;
    let Some(path) = recipe.image_config.path() else { return done(()) };
    if prepared.containers.is_empty() {
        return match recipe.image_config {
            Place::Path(_) => {
                let what = "--image-config is for images of containers, and no source is one";
                Err(Error::new(ErrorKind::Usage, what))
            }
            _ => done(()),
        };
    }
    let settings: Vec<&Value> = prepared.containers.iter().map(|image| &image.config).collect();
    let options = image_config::Options { settings: &settings, path, time: recipe.time_of_changes() };
    done(image_config::apply(&mut prepared.tree, &options)?)
}
