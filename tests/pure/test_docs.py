"""What the documents say exists: every function that they name, every file that they link to."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from ald_controller.cli.checking import SIMULATED, assume, plan_for

ROOT = Path(__file__).parents[2]
CODE = ("ald_controller", "drivers", "simulators")
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")])
NAMED = re.compile(r"`([\w/]+\.py):(\w+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@cache
def code() -> dict[str, frozenset[str]]:
    """Every source file, and the functions, classes and module-level names that it defines."""
    return {str(p.relative_to(ROOT)): names(p) for top in CODE for p in sorted((ROOT / top).glob("**/*.py"))}


def names(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text("utf-8"))
    found = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {t.id for t in targets if isinstance(t, ast.Name)}
    return frozenset(found)


def wrong_name(file: str, name: str) -> str:
    """Why `file.py:name` names nothing, or not one thing; "" when it is right."""
    matches = [path for path in code() if path == file or path.endswith("/" + file)]
    if len(matches) != 1:
        return f"{file} names {len(matches)} files: {', '.join(matches)}"
    return "" if name in code()[matches[0]] else f"{matches[0]} defines no {name}"


def slug(heading: str) -> str:
    """The anchor that a heading gets where these pages are shown."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = FENCE.sub("", page.read_text("utf-8"))
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def broken_link(page: Path, link: str) -> str:
    """Why a relative link leads nowhere; "" when it is right, or leads out of the project."""
    if re.match(r"[a-z]+:", link):
        return ""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return f"{link}: there is no {target.relative_to(ROOT) if target.is_relative_to(ROOT) else target}"
    return f"{link}: there is no such heading" if anchor and anchor not in anchors(target) else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_function_that_a_page_names_exists(page: Path) -> None:
    named = sorted(set(NAMED.findall(page.read_text("utf-8"))))
    assert not [why for file, name in named if (why := wrong_name(file, name))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = LINK.findall(FENCE.sub("", page.read_text("utf-8")))
    assert not [why for link in links if (why := broken_link(page, link))]


def test_the_overview_follows_a_pulse_through_at_least_fifty_functions() -> None:
    assert len(set(NAMED.findall((ROOT / "docs" / "overview.md").read_text("utf-8")))) >= 50


def test_every_decision_is_listed_and_has_its_three_parts() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    index = (ROOT / "docs" / "decisions" / "README.md").read_text("utf-8")
    for page in decisions:
        text = page.read_text("utf-8")
        assert page.name in index, f"{page.name} is not in the list"
        assert all(f"\n## {part}\n" in text for part in ("Context", "Decision", "Consequences")), page.name


def test_the_checks_notice_a_name_and_a_link_that_lead_nowhere() -> None:
    assert wrong_name("valves/engine.py", "step") == ""
    assert "defines no" in wrong_name("valves/engine.py", "leap")
    assert "names 2 files" in wrong_name("alicat.py", "poll")
    assert "there is no" in broken_link(ROOT / "README.md", "docs/nowhere.md")


def test_the_whole_recipe_on_the_page_of_recipes_is_accepted(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "recipes.md").read_text("utf-8")
    whole = next(block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if block.startswith("recipe:"))
    recipe = tmp_path / "small.yaml"
    recipe.write_text(whole, "utf-8")
    plan = plan_for(recipe, assume(recipe, ROOT / "deploy" / "tool.yaml", None, None, SIMULATED), {})
    assert plan.cycles == 10
    assert plan.doses == 20
