#!/usr/bin/env python3
"""Check who imports whom in src/, and exit 1 where a rule is broken.

1. A module imports its own layer and those below it, never one above; leaves import nothing.
2. A module of src/sql imports itself and the modules before it in ROOMS. For this rule and the first, a call of a
   method whose `impl` is not in the file of its type imports the file with that `impl`.
3. There is no cycle of imports between files. Module lists and re-exports of `mod.rs` and `lib.rs` are no imports: a
   path through a re-export is resolved to the file that has the item. Unit tests are ignored.
4. `target_arch` occurs only in TARGET_FILES.
5. No file is longer than MAX_LINES, its unit tests included, and no comment line is wider than MAX_WIDTH.
6. A public async function of the FACADE documents its cancel safety: the effect of dropping a call.
7. Each guarantee that a file's module documentation numbers (`//! - L1 …`) is cited by a test: "Proves L1."
"""

import re
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "src"
# The modules of src/, bottom up.
LEAVES = ["error", "olap", "options", "storage"]
LAYERS = [LEAVES, ["runtime"], ["cdc", "change", "fragment", "key_index", "snapshot", "upkeep"], ["events", "store"], ["sql"], ["gates", "outcome"], ["executor"], ["engine"], ["history", "ingest", "rhei"], ["builder"], ["wasm", "tests"]]
# The modules of src/sql, bottom up.
ROOMS = ["syntax", "resources", "expressions", "scan", "planner", "optimizer", "execution", "write", "ddl", "changes", "statement"]
LEVEL = {module: level for level, layer in enumerate(LAYERS) for module in layer}
TARGET_FILES = ["lib.rs", "runtime/mod.rs", "store/mod.rs"]
FACADE = ["engine.rs", "history.rs", "ingest.rs"]
MAX_LINES = 500
MAX_WIDTH = 120

PROMISE = re.compile(r"^//! - ([A-Z]\d) ", re.M)
PROVES = re.compile(r"^ *///? Proves ([A-Z0-9, ]+)\.$", re.M)
# Comments, strings and character literals; they are replaced by blanks, so that line numbers stay the same.
NO_CODE = re.compile(r"""//[^\n]*|/\*.*?\*/|'(?:\\[^\n']+|[^\\'\n])'|r(#*)".*?"\1|"(?:\\.|[^"\\])*\"""", re.S)
TESTS = re.compile(r"#\[cfg\(test\)\]\s*mod \w+ \{")
PATH = re.compile(r"(\bpub(?:\([^)]*\))?\s+use\s+)?\b(crate|self|super)((?:::super)*)::(?=[\w{*])")
RE_EXPORT = re.compile(r"\bpub(?:\([^)]*\))?\s+use\s+(?=\w)")
ASYNC_FN = re.compile(r"((?:^ *///.*\n)*)(?: *#\[.*\n)* *pub async fn (\w+)", re.M)
COMMENT = re.compile(r"\s*//")
TYPE = re.compile(r"\b(?:struct|enum|union)\s+(\w+)")
IMPL = re.compile(r"^impl(?:<[^{]*?>)?\s+(\w+)(?:<[^{]*>)?\s*\{(.*?)^\}", re.M | re.S)
FN = re.compile(r"\bfn\s+(\w+)")
CALL = re.compile(r"(?:\.|::)(\w+)(?:::<[^;(]*>)?\s*\(")
TOKEN = re.compile(r"\s*(?:as\s+\w+\s*)?(::|\w+|[{},*])")


def expand(text, at, prefix=()):
    """The paths of the use tree or expression that begins at `at`, and the end of the tree or expression."""
    path = list(prefix)
    while token := TOKEN.match(text, at):
        if token[1] == "{":
            found, at = [], token.end()
            while (token := TOKEN.match(text, at)) and token[1] != "}":
                inner, at = ([], token.end()) if token[1] == "," else expand(text, at, path)
                found += inner
            return found, token.end() if token else at
        path, at = path + [token[1]], token.end()
        following = TOKEN.match(text, at)
        if not following or following[1] != "::":
            break
        at = following.end()
    return [path], at


class Source:
    def __init__(self, path):
        self.name = path.relative_to(SRC).as_posix()
        text = path.read_text(encoding="utf-8")
        self.promises = PROMISE.findall(text)
        self.lines = text.count("\n")
        documented = ASYNC_FN.findall(text)
        self.silent = [name for docs, name in documented if "# Cancel safety" not in docs]
        lines = enumerate(text.splitlines(), 1)
        self.wide = [at for at, line in lines if len(line) > MAX_WIDTH and COMMENT.match(line)]
        self.code = NO_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
        self.imports_in = TESTS.split(self.code)[0]
        *self.module, stem = path.relative_to(SRC).with_suffix("").parts
        self.is_index = stem in ("mod", "lib")
        self.module += [] if self.is_index else [stem]
        self.types = set(TYPE.findall(self.imports_in))
        exports = RE_EXPORT.finditer(self.imports_in) if self.is_index else ()
        self.exports = {path[-1]: path for found in exports for path in expand(self.imports_in, found.end())[0]}

    def calls(self):
        """Line and name of all calls of methods and associated functions."""
        for found in CALL.finditer(self.imports_in):
            yield self.imports_in.count("\n", 0, found.start()) + 1, found[1]

    def imports(self):
        """Line and absolute path of each item of the crate that the file names."""
        for found in PATH.finditer(self.imports_in):
            if found[1] and self.is_index:
                continue
            ups = f"{found[2]}{found[3]}".count("super")
            base = [] if found[2] == "crate" else self.module[: len(self.module) - ups]
            for path in expand(self.imports_in, found.end())[0]:
                yield self.imports_in.count("\n", 0, found.start()) + 1, base + path


def foreign_methods(sources):
    """Type and file of each method whose `impl` is not in the file of its type, by the method's name."""
    names = Counter(name for source in sources.values() for name in FN.findall(source.imports_in))
    for source in sources.values():
        for owner, body in IMPL.findall(source.imports_in):
            if owner not in source.types:
                # If several functions have one name, the called function is unknown here.
                yield from ((name, (owner, source.name)) for name in FN.findall(body) if names[name] == 1)


def resolve(sources, path):
    """The file that defines the item at `path`."""
    for place, part in enumerate(path):
        here = "/".join(path[: place + 1])
        if f"{here}.rs" in sources:
            return f"{here}.rs"
        if f"{here}/mod.rs" not in sources:
            index = "/".join(path[:place] + ["mod.rs"]) if place else "lib.rs"
            exported = sources[index].exports.get(part)
            return resolve(sources, path[:place] + exported) if exported else index
    return "/".join(path + ["mod.rs"])


def is_above(theirs, mine):
    """Whether the module at `theirs` is above the module at `mine`, or `mine` is a leaf, which imports nothing."""
    if theirs[0] != mine[0]:
        return mine[0] in LEAVES or LEVEL.get(theirs[0], 99) > LEVEL.get(mine[0], 99)
    in_rooms = mine[0] == "sql" and len(theirs) > 1 and len(mine) > 1
    return in_rooms and ROOMS.index(theirs[1]) > ROOMS.index(mine[1])


def main():
    sources = {source.name: source for source in map(Source, sorted(SRC.rglob("*.rs")))}
    methods = dict(foreign_methods(sources))
    wrong, edges = [], {}
    for name, source in sources.items():
        if source.lines > MAX_LINES:
            wrong.append(f"src/{name}: {source.lines} lines, more than {MAX_LINES}")
        if "target_arch" in source.code and name not in TARGET_FILES:
            wrong.append(f"src/{name}: target_arch belongs into {', '.join(TARGET_FILES)}")
        if name in FACADE:
            wrong += [f"src/{name}: {silent} says nothing of its cancel safety" for silent in source.silent]
        mine = source.module or ["lib"]
        if mine[0] not in LEVEL and mine[0] != "lib":
            wrong.append(f"src/{name}: {mine[0]} is in none of the LAYERS of scripts/layers.py")
        if mine[0] == "sql" and len(mine) > 1 and mine[1] not in ROOMS:
            wrong.append(f"src/{name}: sql/{mine[1]} is in none of the ROOMS of scripts/layers.py")
            continue
        wrong += [f"src/{name}:{line}: a comment wider than {MAX_WIDTH}" for line in source.wide]
        for line, path in source.imports():
            item, target = "::".join(path), resolve(sources, path)
            if target != name:
                edges.setdefault((name, target), f"src/{name}:{line}: imports {item} of src/{target}")
            if is_above(sources[target].module or ["lib"], mine):
                wrong.append(f"src/{name}:{line}: may not import {item} of src/{target}, which is above it")
        for line, method in source.calls():
            owner, target = methods.get(method, (None, name))
            if re.search(rf"\b{owner}\b", source.imports_in) and is_above(sources[target].module, mine):
                wrong.append(f"src/{name}:{line}: may not call {owner}::{method} of src/{target}, which is above it")
    root = SRC.parent
    tests = [*SRC.rglob("*.rs"), *(root / "tests").rglob("*.rs"), *(root / "js/test").glob("*.mjs")]
    cited = [PROVES.findall(path.read_text(encoding="utf-8")) for path in tests]
    proven = {promise for lists in cited for one in lists for promise in one.split(", ")}
    promised = {promise: name for name, source in sources.items() for promise in source.promises}
    wrong += [f"src/{name}: no test says that it proves {one}" for one, name in promised.items() if one not in proven]
    wrong += [f"a test says that it proves {promise}, which no file promises" for promise in proven - promised.keys()]
    mutual = {edge for edge in edges if edge[::-1] in edges}
    wrong += [f"{edges[edge]}, which imports it too" for edge in mutual]
    graph = {name: {b for a, b in edges if a == name and (a, b) not in mutual} for name in sources}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        wrong.append(f"a circle of imports: {' <- '.join(error.args[1])}")
    print("\n".join(sorted(wrong)) or f"{len(sources)} files keep to the rules")
    sys.exit(1 if wrong else 0)


main()
