//! Servers and load on cores of their own, so that neither takes time from the other.

use std::process::{Child, Command};

use anyhow::Result;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// Which cores serve and which one makes the load.
#[derive(Debug, Clone)]
pub struct Cores {
    all: Vec<usize>,
}

impl Cores {
    /// Those that this process may use.
    pub fn here() -> Result<Self> {
        let set = sched_getaffinity(Pid::from_raw(0))?;
        let all = (0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).collect();
        Ok(Self { all })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Of two cores and more, all but the last serve.
    fn serving(&self) -> &[usize] {
        match &*self.all {
            [rest @ .., _] if !rest.is_empty() => rest,
            all => all,
        }
    }

    /// Starts a program on the cores that serve; the caller's thread is on the last core from then on.
    pub fn spawn(&self, command: &mut Command) -> Result<Child> {
        stay_on(self.serving())?;
        let child = command.spawn();
        stay_on(self.all.last().map_or(&[], std::slice::from_ref))?;
        Ok(child?)
    }
}

fn stay_on(cores: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core)?;
    }
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}
