#!/usr/bin/env python3
"""How long a program that uses the engine is compiled, after the engine itself.

    benches/builds.py [--against REVISION] [--profile release|dev] [--rounds N] [--own-build]

The program is the quickstart of the README, as a project of its own with the quickstart's dependencies. The engine is compiled
first and not counted. Then the program is changed and built again, its link included, N times (default 3); with --against,
taking turns with the same program on that revision of the engine. Prints seconds and seconds of CPU time, the medians, and
their ratios. With --own-build the project has the engine's dev-dependencies too, so that its features are those of this
repository's own builds, and nothing is compiled that these have compiled; the program does not use them.

CARGO_TARGET_DIR is honoured. The engine's bars: 25 s in release, 15 s in dev, on 2 cores.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import time
import tomllib
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
BARS = {"release": 25.0, "dev": 15.0}


def quickstart() -> tuple[str, str]:
    """The dependencies and the program, as the README has them."""
    text = (TOP / "README.md").read_text()
    dependencies = re.search(r"```toml\n\[dependencies\]\n(.*?)```", text, re.DOTALL)
    program = re.search(r"```rust\n(.*?)```", text, re.DOTALL)
    if not dependencies or not program:
        raise SystemExit("README.md has no quickstart: a block of toml with [dependencies], then a block of rust")
    return dependencies[1], program[1]


def dev_dependencies(engine: Path) -> str:
    """Those of the engine's Cargo.toml that are for this machine, as tables."""
    manifest = tomllib.loads((engine / "Cargo.toml").read_text())
    native = manifest["target"]['cfg(not(target_arch = "wasm32"))']
    tables = []
    for name, asked in (manifest["dev-dependencies"] | native["dev-dependencies"]).items():
        asked = asked if isinstance(asked, dict) else {"version": asked}
        tables += [f"[dependencies.{name}]"] + [f"{key} = {json.dumps(value)}" for key, value in asked.items()]
    return "\n".join(tables)


class Project:
    """The quickstart on one checkout of the engine."""

    def __init__(self, engine: Path, folder: Path, own_build: bool):
        self.folder = folder
        dependencies, self.program = quickstart()
        dependencies = dependencies.replace('"../rhei-datafusion"', f'"{engine}"')
        if own_build:
            # No package may be named twice; of tokio the engine's tests ask for more than the quickstart.
            dependencies = re.sub(r"^tokio = .*\n", "", dependencies, flags=re.MULTILINE) + dev_dependencies(engine)
        (folder / "src").mkdir(parents=True, exist_ok=True)
        (folder / "Cargo.toml").write_text(
            f'[package]\nname = "quickstart"\nversion = "0.0.0"\nedition = "2024"\n\n[dependencies]\n{dependencies}\n'
            "[profile.release]\ndebug = false\n\n[workspace]\n"
        )
        (folder / "Cargo.lock").write_bytes((engine / "Cargo.lock").read_bytes())
        self.built = 0

    def build(self, profile: str) -> tuple[float, float]:
        """Seconds and seconds of CPU time of a build after a change of the program."""
        self.built += 1
        (self.folder / "src/main.rs").write_text(f"{self.program}\n// Change {time.time_ns()}\n")
        before, begun = cpu(), time.monotonic()
        subprocess.run(["cargo", "build", "--profile", profile], cwd=self.folder, check=True)
        return time.monotonic() - begun, cpu() - before


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def worktree(revision: str, folder: Path) -> Path:
    if folder.exists():
        subprocess.run(["git", "-C", folder, "checkout", "--quiet", "--detach", revision], check=True)
    else:
        subprocess.run(["git", "-C", TOP, "worktree", "add", "--detach", folder, revision], check=True)
    return folder


def main() -> None:
    arguments = argparse.ArgumentParser(usage=__doc__)
    arguments.add_argument("--against")
    arguments.add_argument("--profile", choices=BARS, default="release")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--own-build", action="store_true")
    given = arguments.parse_args()

    target = Path(os.environ.setdefault("CARGO_TARGET_DIR", str(TOP / "target"))) / "builds"
    projects = {"this checkout": Project(TOP, target / "this", given.own_build)}
    if given.against:
        old = worktree(given.against, target / "engine-against")
        projects[given.against] = Project(old, target / "against", given.own_build)

    for project in projects.values():
        project.build(given.profile)
    times = {name: [] for name in projects}
    for _ in range(given.rounds):
        for name, project in projects.items():
            times[name].append(project.build(given.profile))

    medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in times.items()}
    print(f"\nThe README's quickstart, profile {given.profile}, median of {given.rounds} builds after a change of it")
    for name, (seconds, of_cpu) in medians.items():
        print(f"  {name:16} {seconds:7.1f} s {of_cpu:7.1f} s of CPU time")
    ours = medians["this checkout"]
    if given.against:
        ratios = [old / new for old, new in zip(medians[given.against], ours)]
        print(f"  ratio {ratios[0]:.1f}, of CPU time {ratios[1]:.1f}")
    bar = BARS[given.profile]
    print(f"  bar {bar:.0f} s: {'PASS' if ours[0] <= bar else 'MISS'}")


if __name__ == "__main__":
    main()
