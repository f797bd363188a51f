"use strict";
// Tables sort by a click or a key on a column's head. Without scripts they are plain tables.
const sortable = (table) => {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, i) => row.cells[i].dataset.v ?? row.cells[i].textContent;
  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [key(a, i), key(b, i)];
        if (x === "" || y === "") return (x === "") - (y === "");  // what is not known stays at the end
        const order = head.classList.contains("n") ? x - y : x.localeCompare(y);
        return down ? -order : order;
      });
      body.append(...rows);
    });
  });
};

// What a bar or a point says: under the pointer, and with the keyboard (a chart is one stop, arrows go on in it).
const bubble = document.createElement("div");
bubble.id = "bubble";
bubble.hidden = true;
bubble.setAttribute("aria-hidden", "true");  // the point itself carries the same words
document.body.append(bubble);
const say = (tip) => {
  const box = tip.children[0].getBoundingClientRect();
  bubble.textContent = tip.getAttribute("aria-label");
  bubble.hidden = false;
  const left = Math.min(box.left + box.width / 2 - bubble.offsetWidth / 2, innerWidth - bubble.offsetWidth - 8);
  const above = box.top - bubble.offsetHeight - 8;
  bubble.style.left = `${Math.max(8, left) + scrollX}px`;
  bubble.style.top = `${(above > 4 ? above : box.bottom + 8) + scrollY}px`;
};
const hush = () => { bubble.hidden = true; };
const speaking = (chart) => {
  const tips = [...chart.querySelectorAll(".tip")];
  tips.forEach((tip, i) => {
    const title = tip.querySelector("title");
    tip.setAttribute("role", "img");
    tip.setAttribute("aria-label", title.textContent);
    title.remove();  // or the browser would show it once more
    tip.setAttribute("tabindex", i ? "-1" : "0");
    tip.addEventListener("pointerenter", () => say(tip));
    tip.addEventListener("pointerleave", hush);
    tip.addEventListener("focus", () => say(tip));
    tip.addEventListener("blur", hush);
    tip.addEventListener("keydown", (event) => {
      const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hush();
      if (!way) return;
      event.preventDefault();
      const next = tips[(i + way + tips.length) % tips.length];
      tips.forEach((other) => other.setAttribute("tabindex", other === next ? "0" : "-1"));
      next.focus();
    });
  });
};
const lively = (part) => {
  part.querySelectorAll("table.sortable").forEach(sortable);
  part.querySelectorAll("svg[role=group]").forEach(speaking);
};
lively(document);

// What opens, and the pictures for a narrow window, are packed together; a part is filled from there when it is seen.
let unpacked;
const unpack = async () => {
  const packed = Uint8Array.from(atob(document.getElementById("packed").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
};
const fill = async (part) => {
  unpacked ??= unpack();
  part.innerHTML = (await unpacked)[part.dataset.i];
  lively(part);
};
for (const closed of document.querySelectorAll("details[data-i]")) {
  closed.addEventListener("toggle", () => {
    if (closed.children.length > 1) return;
    const inside = document.createElement("div");
    inside.className = "inside";
    inside.dataset.i = closed.dataset.i;
    closed.append(inside);
    fill(inside);
  });
}
const phone = matchMedia("(max-width: 40rem)");
const narrow = () => {
  if (phone.matches) document.querySelectorAll(".narrow:empty").forEach(fill);
};
phone.addEventListener("change", narrow);
narrow();
