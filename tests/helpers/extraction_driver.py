"""Gives each case's `root` as a notebook's cells or a script define it, and prints reference, or error, and result.

Run as `python extraction_driver.py notebook|script FOLDER`, in a process of its own: it takes `__main__` over.
"""

import json
import runpy
import sys
from pathlib import Path

from searchspace.api.code_reference import to_reference
from tests.helpers.extraction_cases import CASES, REFUSED
from trainables.common.errors import UserError

GIVE = "from tests.helpers.extraction_driver import give; FOUND = give(root)"


def give(root):
    """Reference of `root`, or the error, and what it returns here."""
    try:
        reference = to_reference(root, "metric=")
    except UserError as error:
        return {"error": str(error)}
    return {"reference": reference, "result": json.loads(json.dumps(root()))}


def run_notebook(text, _folder):
    from IPython.core.interactiveshell import InteractiveShell

    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    for cell in [*text.split("# %%"), GIVE]:
        shell.run_cell(cell.strip("\n"), store_history=True).raise_error()
    return shell.user_ns["FOUND"]


def run_script(text, folder):
    script = folder / "train.py"
    script.write_text(f"{text.replace('%%time', '')}\n{GIVE}\n")
    import linecache

    linecache.clearcache()
    return runpy.run_path(str(script), run_name="__main__")["FOUND"]


def main():
    run = {"notebook": run_notebook, "script": run_script}[sys.argv[1]]
    cases = CASES | {name: text for name, (text, _) in REFUSED.items()}
    found = {name: run(text, Path(sys.argv[2])) for name, text in cases.items()}
    print(json.dumps(found), file=sys.__stdout__)


if __name__ == "__main__":
    main()
