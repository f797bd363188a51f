"""What a wheel would carry: a package that is forgotten in pyproject.toml is missing only for others."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_package_is_named() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in ROOT.glob("iobench/**/__init__.py")}
    assert found == set(setup["packages"]) - {"iobench.shipped"}


def test_every_file_that_is_no_module_is_named() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for package, folder in (("iobench", ROOT / "iobench"), ("iobench.shipped", ROOT / "profiles")):
        named = {path for pattern in data[package] for path in folder.glob(pattern)}
        others = {p for p in folder.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc", ".md")}
        assert others and others <= named


def test_the_shipped_profiles_are_the_top_level_ones() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert (ROOT / setup["package-dir"]["iobench.shipped"] / "suites" / "quick.toml").is_file()
