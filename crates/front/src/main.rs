//! Turns the compiled app into what a browser loads: one WebAssembly file for every page, one for each group of lazy
//! pages, and the scripts that join them. `scripts/front.mjs` does the rest of the build.
//!
//! Both steps are libraries of the workspace, so Cargo itself holds the version of wasm-bindgen here and in the app equal.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Error, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

const NAME: &str = "slipway";

/// Leptos looks for these two names where the names of files carry no hash.
const LOADER: &str = "./__wasm_split.______________________.js";
const MANIFEST: &str = "__wasm_split_manifest.json";

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [module, folder] = arguments.as_slice() else {
        bail!(
            "Usage: slipway-front MODULE FOLDER: the compiled app.wasm, and where its files are to go."
        );
    };
    files(Path::new(module), Path::new(folder))
}

fn files(module: &Path, folder: &Path) -> Result<()> {
    let whole = fs::read(module).with_context(|| {
        format!(
            "{} could not be read. Compile the app first",
            module.display()
        )
    })?;
    let first = module.with_extension("first.wasm");
    let script = format!("./{NAME}.js");

    let mut options = wasm_split_cli_support::Options::new(&whole);
    options.output_dir = folder;
    options.main_out_path = &first;
    options.main_module = &script;
    options.link_name = LOADER;
    let split = wasm_split_cli_support::transform(options)
        .map_err(|report| Error::from_boxed(report.into()))
        .context("The app could not be split")?;

    // In order, so that equal builds are equal to the byte.
    let groups: BTreeMap<_, _> = split.prefetch_map.into_iter().collect();
    fs::write(folder.join(MANIFEST), serde_json::to_string(&groups)?)?;

    Bindgen::new()
        .keep_lld_exports(true)
        .demangle(false)
        .input_path(&first)
        .out_name(NAME)
        .web(true)?
        .generate(folder)
        .context("wasm-bindgen could not bind the app")?;
    // Leptos asks for this name.
    fs::rename(
        folder.join(format!("{NAME}_bg.wasm")),
        folder.join(format!("{NAME}.wasm")),
    )?;
    Ok(())
}
