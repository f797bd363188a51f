"""The campaigns that show all that a report can, kept once for all tests of the report."""

from __future__ import annotations

from pathlib import Path

import everything
import pytest

from iobench import report
from iobench.results import CampaignFolder
from iobench.texts import LANGUAGES


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[CampaignFolder]]:
    """A folder for files, and the campaigns in it."""
    root = tmp_path_factory.mktemp("everything")
    return root, everything.everything(root / "results")


@pytest.fixture(scope="session")
def whole_decks(kept: tuple[Path, list[CampaignFolder]]) -> dict[str, Path]:
    """The deck of all of them, in each language."""
    root, folders = kept
    return {
        lang: report.build(folders, root / f"deck-{lang}", everything.options(root, ("pptx",), lang))[-1]
        for lang in LANGUAGES
    }
