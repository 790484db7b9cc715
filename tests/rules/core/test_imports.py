"""How the files know each other: the core no family, no rule torch, and none in a circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import dispatchcount.rules

ROOT = Path(dispatchcount.rules.__file__).parent
PACKAGE = "dispatchcount.rules"


def imports(tree: ast.AST) -> set[str]:
    """Modules that a file of the package imports from the package."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            module = (node.module or "").removeprefix(PACKAGE).lstrip(".")
            if (ROOT / module.replace(".", "/")).is_dir():  # a package: its modules are named
                found |= {f"{module}.{alias.name}".lstrip(".") for alias in node.names}
            else:
                found.add(module)
    return found


def graph() -> dict[str, set[str]]:
    """Module: the modules it imports, named from the package on."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): imports(ast.parse(path.read_text()))
        for path in sorted(ROOT.rglob("*.py"))
        if path.name != "__init__.py"
    }


def test_no_imports_run_in_a_circle() -> None:
    found = graph()
    assert len(found) > 50
    order = list(TopologicalSorter(found).static_order())  # raises CycleError
    assert set(order) == set(found)


def test_the_core_knows_no_family() -> None:
    core = {name: known for name, known in graph().items() if name.startswith("core.")}
    assert len(core) > 8
    assert {n for known in core.values() for n in known if not n.startswith("core.")} == set()


def test_the_library_is_every_family() -> None:
    found = graph()
    helpers = {
        name for name in found if "RULES" not in (ROOT / f"{name.replace('.', '/')}.py").read_text()
    }
    families = {name for name in found if not name.startswith("core.")} - helpers
    assert found["library"] == families - {"library"}


def test_rules_need_no_torch() -> None:
    code = "import sys, dispatchcount.rules.library; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert said.stdout == "False\n"
