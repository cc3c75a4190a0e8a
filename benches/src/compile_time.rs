//! `compile-time`: the time that `#[scoped_tool]` adds to the compilation of a crate of 200 tools.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Result, ensure};
use bench::report::Rounds;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// How many tools there are
    #[arg(long, default_value_t = 200)]
    tools: usize,
    /// How often each crate is compiled
    #[arg(long, default_value_t = 7)]
    rounds: usize,
}

pub(crate) fn compile_time(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let crates = [("tool", plain(options.tools)), ("scoped_tool", scoped(options.tools))];
    let mut seen = crates.each_ref().map(|_| vec![]);
    for (name, source) in &crates {
        write_crate(&folder.path().join(name), name, source)?;
        // Compiles the dependencies, so that the rounds measure only the crate itself.
        compile(folder.path(), name)?;
    }
    for _ in 0..options.rounds {
        for ((name, source), seen) in crates.iter().zip(&mut seen) {
            fs::write(folder.path().join(name).join("src/lib.rs"), source)?;
            let begin = Instant::now();
            compile(folder.path(), name)?;
            seen.push(begin.elapsed().as_secs_f64());
        }
    }
    let [plain, scoped] = seen;
    let ratios = scoped.iter().zip(&plain).map(|(scoped, plain)| scoped / plain).collect();
    println!("seconds to compile a crate of {} tools", options.tools);
    for (name, rounds) in [("#[tool]", plain), ("#[scoped_tool]", scoped), ("ratio", ratios)] {
        println!("{name:15} {:.3}", Rounds::new(rounds));
    }
    Ok(())
}

fn write_crate(at: &Path, name: &str, source: &str) -> Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\nscopeward = {{ path = \"{}\", default-features = false }}\n\
         rmcp = {{ version = \"3.11\", default-features = false, features = [\"macros\", \"schemars\", \"server\"] }}\n\
         schemars = \"1\"\nserde = {{ version = \"1\", features = [\"derive\"] }}\n",
        root.join("scopeward").display()
    );
    fs::create_dir_all(at.join("src"))?;
    fs::write(at.join("Cargo.toml"), manifest)?;
    fs::write(at.join("src/lib.rs"), source)?;
    // The same versions as in this repository.
    fs::copy(root.join("Cargo.lock"), at.join("Cargo.lock"))?;
    Ok(())
}

fn compile(folder: &Path, name: &str) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(folder.join(name))
        .args(["build", "--quiet", "--offline"])
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env("CARGO_INCREMENTAL", "0")
        .status()?;
    ensure!(built.success(), "the crate of #[{name}] does not compile");
    Ok(())
}

const HEAD: &str = "#[derive(serde::Deserialize, schemars::JsonSchema)]\npub struct Id {\n    /// The todo's id\n    pub id: String,\n}\npub struct Todos;\n";

fn plain(tools: usize) -> String {
    let mut text = format!(
        "use rmcp::handler::server::wrapper::Parameters;\n{HEAD}#[rmcp::tool_router(vis = \"pub\")]\nimpl Todos {{\n"
    );
    for n in 0..tools {
        let _ = write!(
            text,
            "    /// Tool {n}\n    #[rmcp::tool]\n    async fn tool_{n}(&self, Parameters(Id {{ id }}): Parameters<Id>) -> String {{ id }}\n"
        );
    }
    text + "}\n"
}

fn scoped(tools: usize) -> String {
    let mut text = format!(
        "use scopeward::rmcp::handler::server::wrapper::Parameters;\n{HEAD}#[scopeward::scoped_tools]\nimpl Todos {{\n"
    );
    for n in 0..tools {
        let _ = write!(
            text,
            "    /// Tool {n}\n    #[scoped_tool(scopes = [\"todo:read\"])]\n    async fn tool_{n}(&self, Parameters(Id {{ id }}): Parameters<Id>) -> String {{ id }}\n"
        );
    }
    text + "}\n"
}
