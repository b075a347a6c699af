// Compiles Python's standard library in Pyodide's package, which has its source only: a browser would
// compile it at each start, which takes longer than all the rest.
import { readFile, writeFile } from "node:fs/promises";
import { loadPyodide } from "pyodide";

const library = "node_modules/pyodide/python_stdlib.zip";

const python = await loadPyodide();
python.unpackArchive(new Uint8Array(await readFile(library)), "zip", { extractDir: "/source" });
python.runPython(`
import compileall, shutil
from pathlib import Path
from py_compile import PycInvalidationMode

compileall.compile_dir(
    "/source", maxlevels=9, legacy=True, quiet=1, stripdir="/source", prependdir="/lib/python314.zip",
    invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
)
for source in Path("/source").rglob("*.py"):
    if source.with_suffix(".pyc").exists():
        source.unlink()
shutil.make_archive("/compiled", "zip", "/source")
`);
await writeFile(library, python.FS.readFile("/compiled.zip"));
