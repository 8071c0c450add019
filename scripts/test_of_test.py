#!/usr/bin/env python3
"""Proves that scripts/test fails if one of its commands fails, and names the failed step.

    scripts/test_of_test.py

Runs a copy of scripts/test whose external commands are all stubs that do nothing. In the first run all calls succeed;
then there is one run per call, in which that call fails. If a call within a step fails, the run has to end with a
status other than 0 and the step's name: with CI=1 always, and without CI=1 unless the step is optional; an optional
step is named as NOT RUN at the end. In further runs the stubs report no test, and a test that had no server: the first
case fails, the second names the test, and fails with CI=1. With words, only the checks whose names contain one of the
words run. Last, scripts/linted builds crates with something to lint, with the real cargo.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPT = Path(__file__).parent / "test"
COMMANDS = ["cargo", "rustup", "python3", "npm", "node", "apt-get", "sudo", "strace", "chromedriver"]
SCRIPTS = ["need_libclang", "need_venv", "s3_server", "wasm_tree", "need_wasm", "fuzz"]
REAL = ["bash", "env", "dirname", "mktemp", "rm", "uname", "cat", "sed", "tail", "tee", "awk", "grep", "mkdir", "cp"]
STUB = """#!/bin/bash
# The step is the last one that the run's output tells of, unless it has ended.
n=$(($(cat "$COUNTER") + 1))
echo $n >"$COUNTER"
step=$(sed -nE 's/^(==>|<==|!!!) (.*)/\\1 \\2/p' "$OUTPUT" | tail -n 1)
printf '%s\\t%s\\t%s %s\\n' "$n" "$step" "${0##*/}" "$*" >>"$CALLS"
[[ $n != "$FAILING" ]] || exit 1
if [[ -n $REPORT && "${0##*/} $*" == 'cargo nextest run'* ]]; then
    mkdir -p target/nextest/default && cp "$REPORT" target/nextest/default/junit.xml
fi
case ${0##*/} in
    need_venv) echo "$VENV" ;;
    need_* | s3_server) ;;
    *) echo "$PRINTS" ;;
esac
"""
A_TEST = "test result: ok. 1 passed; 0 failed; 0 ignored"
# nextest's report of a test that had no server.
NO_SERVER = """<testsuite>
<testcase name="s3::reads"><system-out>
NOT RUN: no server
</system-out></testcase>
<testcase name="sums" />
</testsuite>
"""
# Optional steps: without CI=1, their failure skips only the checks that need them.
MAY_BE_LEFT_OUT = {
    "Python environment",
    "install strace",
    "S3 server",
    "fetch the data of the demo",
    "install Chromium",
}


def machine(top: Path, without: set[str]) -> Path:
    """A checkout with the script and its stubs."""
    for folder in ["scripts", "bin", "venv/bin", "tmp"]:
        (top / folder).mkdir(parents=True)
    for script in [SCRIPT, SCRIPT.parent / "count_tests", SCRIPT.parent / "linted"]:
        shutil.copy(script, top / "scripts" / script.name)
    stubs = [top / "bin" / name for name in COMMANDS if name not in without]
    stubs += [top / "scripts" / name for name in SCRIPTS] + [top / "venv/bin/python"]
    for stub in stubs:
        stub.write_text(STUB)
        stub.chmod(0o755)
    for name in REAL:
        (top / "bin" / name).symlink_to(shutil.which(name))
    return top


def run(
    top: Path, failing: int, ci: bool, prints: str = A_TEST, report: str = "", words: tuple[str, ...] = ()
) -> tuple[int, str, list[list[str]]]:
    """The status, the output and the calls of one run. `failing` is the number of the call that fails; 0 for none."""
    files = {name: top / name.lower() for name in ["COUNTER", "CALLS", "OUTPUT"]}
    files["COUNTER"].write_text("0")
    files["CALLS"].write_text("")
    environment = {name: str(path) for name, path in files.items()}
    environment |= {"PATH": str(top / "bin"), "HOME": str(top), "TMPDIR": str(top / "tmp"), "FAILING": str(failing)}
    environment |= {"PRINTS": prints, "REPORT": report}
    environment |= {"VENV": str(top / "venv"), "CHROMIUM": "chromium", "CI": "1" if ci else ""}
    with files["OUTPUT"].open("w") as output:
        command = [shutil.which("bash"), str(top / "scripts/test"), *words]
        status = subprocess.run(command, env=environment, stdout=output, stderr=output, timeout=60, check=False).returncode
    calls = [line.split("\t") for line in files["CALLS"].read_text().splitlines()]
    return status, files["OUTPUT"].read_text(), calls


def faults(top: Path, left_out_anyway: bool) -> tuple[int, list[str]]:
    """The number of failing calls that were tried, and the cases in which the script misbehaved."""
    found = []
    status, output, calls = run(top, 0, ci=not left_out_anyway)
    if status != 0:
        return 0, [f"no call fails, and the status is {status}:\n{output}"]
    tried = 0
    for number, step, command in calls:
        if not step.startswith("==> "):
            continue  # a check of what is installed, or the cleanup at the end
        step = step.removeprefix("==> ")
        for ci in [True, False]:
            tried += 1
            status, output, _ = run(top, int(number), ci)
            case = f'"{command}" fails in the step "{step}", CI={int(ci)}'
            if f"<== {step}: FAILED" not in output:
                found.append(f"{case}: the step is not named")
            if ci or step not in MAY_BE_LEFT_OUT:
                if status == 0 or not re.search(r'^FAILED in "', output, re.MULTILINE):
                    found.append(f"{case}: the status is {status}")
            elif status != 0 or "!!! NOT RUN: " not in output.split("All checks that ran passed", 1)[-1]:
                found.append(f"{case}: the status is {status}, and what is left out is not named at the end")
    return tried, found


def miscounts(top: Path) -> list[str]:
    """The cases in which the script does not report that nothing was tested, or that a test could not run."""
    found = []
    status, output, _ = run(top, 0, ci=False, prints="")
    if status == 0 or "tests: no test was found" not in output:
        found.append(f"no test is found, and the status is {status}")
    report = top / "report.xml"
    report.write_text(NO_SERVER)
    for ci in [True, False]:
        status, output, _ = run(top, 0, ci, report=str(report))
        case = f"a test has no server, CI={int(ci)}"
        if (status != 0) != ci:
            found.append(f"{case}: the status is {status}")
        if "tests: 1 passed, 0 failed, 1 skipped" not in output:
            found.append(f"{case}: it is not counted")
        said = output if ci else output.split("All checks that ran passed", 1)[-1]
        if "skipped: tests: s3::reads (NOT RUN: no server)" not in said:
            found.append(f"{case}: it is not named")
    return found


def misread_words(top: Path) -> list[str]:
    """The cases in which the script does not run exactly the checks whose names contain the given words."""
    found = []
    for words, steps in [
        (("layers",), ["layers"]),
        (("forma", "this"), ["format", "this script"]),
        (("licences",), ["licences and versions"]),
        (("doc tests",), ["libclang", "doc tests"]),
        (("oracle of",), ["libclang", "Python environment", "DuckDB oracle of TPC-H"]),
    ]:
        status, output, _ = run(top, 0, ci=True, words=words)
        ran = re.findall(r"^==> (.*)", output, re.MULTILINE)
        if status != 0 or ran != steps:
            found.append(f"with the words {words} the status is {status}, and it runs {ran}")
    status, output, _ = run(top, 0, ci=True, words=("layers", "no such check"))
    if status == 0 or 'no check has "no such check" in its name' not in output:
        found.append(f"with a word that no check has, the status is {status}")
    return found


MANIFEST = """[package]
name = "planted"
edition = "2024"
[lints.clippy]
dbg_macro = "warn"
"""
PLANTED = {
    "nothing": ("pub fn f() -> u8 { 1 }", 0),
    "what the manifest warns of": ("pub fn f() -> u8 { dbg!(1) }", 101),
    "what clippy warns of": ("pub fn f() -> u8 { return 1; }", 101),
    "what the compiler warns of": ("pub fn f() -> u8 { let unused = 1; 1 }", 101),
}


def unlinted(top: Path) -> list[str]:
    """The crates that scripts/linted wrongly accepts or refuses; all are built in turn in one target folder."""
    found = []
    (top / "src").mkdir()
    (top / "Cargo.toml").write_text(MANIFEST)
    environment = os.environ | {"CARGO_TARGET_DIR": str(top / "target")}
    for what, (text, expected) in PLANTED.items():
        (top / "src/lib.rs").write_text(text)
        command = [SCRIPT.parent.resolve() / "linted", "cargo", "build", "--offline"]
        built = subprocess.run(command, cwd=top, env=environment, capture_output=True, text=True, timeout=60, check=False)
        if built.returncode != expected:
            found.append(f"{what} is planted, and the status of scripts/linted is {built.returncode}:\n{built.stderr}")
    return found


def main() -> int:
    tried, found = 0, []
    for without in [set(), {"strace"}, {"chromedriver"}]:
        with tempfile.TemporaryDirectory() as folder:
            some, wrong = faults(machine(Path(folder) / "top", without), left_out_anyway=bool(without))
            tried += some
            found += [f"without {', '.join(without) or 'nothing'}: {fault}" for fault in wrong]
    with tempfile.TemporaryDirectory() as folder:
        found += miscounts(machine(Path(folder) / "top", set()))
    with tempfile.TemporaryDirectory() as folder:
        found += misread_words(machine(Path(folder) / "top", set()))
    with tempfile.TemporaryDirectory() as folder:
        found += unlinted(Path(folder))
    looked = f"{tried} failing calls, 3 runs without a test or a server, 6 with words, {len(PLANTED)} crates to lint"
    print("\n".join(found + [f"{looked}; {len(found)} faults of the scripts"]))
    return 1 if found or tried < 40 else 0


if __name__ == "__main__":
    sys.exit(main())
