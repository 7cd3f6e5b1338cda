//! The order in which modprobe loads modules.

use std::collections::BTreeSet;

use super::listed::Catalog;
use super::lookup::Found;
use crate::config::Config;

/// A step that is left to do; the next one is the last of the list.
enum Task {
    /// Load a module with all that it needs.
    Load(Vec<u8>),
    /// Load a module with its soft dependencies before and behind it.
    WithSoft(Vec<u8>),
    /// Load the module itself.
    Itself(Vec<u8>),
}

impl Catalog {
    /// Returns the names of the modules that modprobe loads for a module, in order: those that it
    /// needs, each with its soft dependencies, and itself. Some may be built into the kernel, and a
    /// name may come up again. A soft dependency that does not exist is left out.
    #[must_use]
    pub fn load_order(&self, config: &Config, module: &[u8]) -> Vec<Vec<u8>> {
        let (mut order, mut visited) = (Vec::new(), BTreeSet::new());
        let mut tasks = vec![Task::Load(module.to_vec())];
        while let Some(task) = tasks.pop() {
            match task {
                Task::Load(name) => {
                    if !visited.insert(name.clone()) {
                        continue;
                    }
                    let needed = self.modules.get(&name).map(|listed| listed.dependencies.as_slice());
                    tasks.push(Task::WithSoft(name));
                    let needed = needed.unwrap_or_default().iter().rev();
                    tasks.extend(needed.map(|name| Task::WithSoft(name.clone())));
                }
                Task::WithSoft(name) => {
                    let Some(soft) = config.soft_dependencies(&name) else {
                        order.push(name);
                        continue;
                    };
                    self.push_all(config, &soft.post, &mut tasks);
                    tasks.push(Task::Itself(name));
                    self.push_all(config, &soft.pre, &mut tasks);
                }
                Task::Itself(name) => order.push(name),
            }
        }
        order
    }

    /// Adds the tasks of loading modules in this order.
    fn push_all(&self, config: &Config, names: &[Vec<u8>], tasks: &mut Vec<Task>) {
        for name in names.iter().rev() {
            let found = match self.lookup(config, name) {
                Found::Configured(found) | Found::Modules(found) | Found::BuiltIn(found) => found,
                Found::Command => vec![name.as_slice()],
                Found::Nothing => Vec::new(),
            };
            tasks.extend(found.into_iter().rev().map(|name| Task::Load(name.to_vec())));
        }
    }
}
