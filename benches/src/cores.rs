//! Puts the servers and the load on separate cores, so that neither takes time from the other.

use std::process::{Child, Command};

use anyhow::Result;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// The cores of this machine: all but the last run the server, and the last one makes the load.
#[derive(Debug, Clone)]
pub struct Cores {
    all: Vec<usize>,
}

impl Cores {
    /// The cores that this process may use.
    pub fn here() -> Result<Self> {
        let set = sched_getaffinity(Pid::from_raw(0))?;
        let all = (0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).collect();
        Ok(Self { all })
    }

    /// The number of cores.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The cores of the server: all but the last, if there are two or more.
    fn serving(&self) -> &[usize] {
        match &*self.all {
            [rest @ .., _] if !rest.is_empty() => rest,
            all => all,
        }
    }

    /// Starts a program on the server's cores, and moves the calling thread to the last core.
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
