"""The system's Chromium for tests, and what is measured in it: boxes of texts, and findings of axe-core."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# Texts of the pictures that lie over each other, or reach over the edge. A font's box is higher than its signs.
OVERLAPS = """() => {
  const found = [];
  for (const svg of document.querySelectorAll("svg[role=group]")) {
    const frame = svg.getBoundingClientRect();
    if (!frame.width) continue;
    const boxes = [...svg.querySelectorAll("text")].map((text) => {
      const box = text.getBoundingClientRect();
      const spare = box.height * 0.16;
      return { said: text.textContent, x0: box.left, x1: box.right, y0: box.top + spare, y1: box.bottom - spare };
    });
    boxes.forEach((one, i) => {
      if (one.x0 < frame.left - 1 || one.x1 > frame.right + 1 || one.y0 < frame.top - 1 || one.y1 > frame.bottom + 1)
        found.push(`over the edge: ${one.said}`);
      for (const other of boxes.slice(i + 1))
        if (Math.min(one.x1, other.x1) - Math.max(one.x0, other.x0) > 1 &&
            Math.min(one.y1, other.y1) - Math.max(one.y0, other.y0) > 1)
          found.push(`${one.said} | ${other.said}`);
    });
  }
  return found;
}"""

# Texts of the page itself that lie over each other, and those that reach over the window's edge where nothing scrolls.
CLASHES = """() => {
  const found = [], boxes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const holder = node.parentElement;
    if (!node.data.trim() || holder.closest("svg, script, .unseen, .skip") || !holder.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const area = holder.closest(".scroll");
    for (const box of range.getClientRects()) {
      const spare = box.height * 0.25;
      if (box.width < 1) continue;
      if (!area && (box.left < -1 || box.right > innerWidth + 1)) found.push(`over the edge: ${node.data.trim()}`);
      if (area && area.scrollHeight > area.clientHeight + 1) continue;  // what is scrolled out lies under other text
      boxes.push({ node, x0: box.left, x1: box.right, y0: box.top + spare, y1: box.bottom - spare });
    }
  }
  boxes.sort((a, b) => a.y0 - b.y0);
  boxes.forEach((one, i) => {
    for (let j = i + 1; j < boxes.length && boxes[j].y0 < one.y1; j++) {
      const other = boxes[j];
      if (other.node !== one.node && Math.min(one.x1, other.x1) - Math.max(one.x0, other.x0) > 1)
        found.push(`${one.node.data.trim()} | ${other.node.data.trim()}`);
    }
  });
  return found;
}"""

# Each heading begins and ends in a mark, so small that it changes no line, by which it is found on paper.
MARKS = ("qzbq", "qzeq")
MARKED = f"""() => {{
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {{
    for (const [text, way] of [["{MARKS[0]}", "prepend"], ["{MARKS[1]}", "append"]]) {{
      const mark = document.createElement("span");
      mark.style.fontSize = "1px";
      mark.textContent = text;
      heading[way](mark);
    }}
  }}
}}"""

# All that is to be read on paper, the pictures' texts too.
SAID = """() => {
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const holder = node.parentElement;
    if (!holder.closest("script, title, .unseen") && holder.checkVisibility()) found.push(node.data);
  }
  return found.join(" ");
}"""

# A text over the first chart's first one, and so long that it reaches over the edge.
PLANT = """() => {
  const text = document.querySelector(".wide svg text");
  const copy = text.cloneNode(true);
  copy.textContent = "planted" + "x".repeat(200);
  text.parentNode.append(copy);
}"""


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser, without a window; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (TESTS=1 scripts/packages.sh installs it)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=180_000)
        try:
            yield browser
        finally:
            browser.close()


def opened(browser: Any, path: Path, *, scheme: str = "light", width: int = 1100) -> Any:
    """A page in a window of its own; what it asks for and says is kept at it."""
    page = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}).new_page()
    page.set_default_timeout(180_000)  # a busy machine is slow, and what is tested here is not speed
    page.asked, page.said = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("dialog", lambda dialog: (page.said.append(dialog.message), dialog.dismiss()))
    page.goto(uri(path))
    page.evaluate("document.fonts.ready")
    return page


def axe(page: Any) -> list[str]:
    """What axe-core finds on a page: rule, what it says, and the first element."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}" for each in found]


def uri(path: Path) -> str:
    return path.absolute().as_uri()
