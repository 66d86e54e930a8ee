"use strict";
// Text from outside gets into the page as textContent alone: nothing in it is ever markup.
const STEP = 250;
const { heads, rows } = JSON.parse(document.getElementById("data").textContent);
const at = Object.fromEntries(heads.map((head, place) => [head.name, place]));
const RANK = { error: 0, warning: 1, info: 2 };
const collator = new Intl.Collator("en", { numeric: true });
const body = document.querySelector("#findings tbody");
const words = document.getElementById("words");
const rule = document.getElementById("rule");
const count = document.getElementById("count");
const more = document.getElementById("more");
const boxes = [...document.querySelectorAll("input[name=severity]")];
const order = { place: null, down: false };
const texts = rows.map((row) => row.filter((cell) => cell !== null).join("\n").toLowerCase());
let found = [];
let shown = 0;

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function line(row) {
  const made = document.createElement("tr");
  heads.forEach((head, place) => {
    if (!head.says) return;
    const cell = element("td", null, head.look);
    cell.dataset.head = head.says;
    if (head.name === "severity") cell.append(element("span", null, `dot ${row[place]}`));
    if (row[place] !== null) cell.append(row[place]);
    if (head.name === "message" && row[at.api_code] !== null) {
      cell.append(element("div", row[at.api_code], "soft"));
    }
    made.append(cell);
  });
  return made;
}

function compare(a, b) {
  const left = rows[a][order.place];
  const right = rows[b][order.place];
  if (left === right) return a - b;
  if (left === null || right === null) return left === null ? 1 : -1; // what is missing comes last
  const name = heads[order.place].name;
  const by = name === "severity" ? RANK[left] - RANK[right]
    : typeof left === "number" && typeof right === "number" ? left - right
      : collator.compare(left, right);
  return (order.down ? -by : by) || a - b;
}

function append(end) {
  const part = document.createDocumentFragment();
  for (; shown < Math.min(end, found.length); shown += 1) part.append(line(rows[found[shown]]));
  body.append(part);
  more.hidden = shown >= found.length;
  more.textContent = `Show ${Math.min(STEP, found.length - shown)} more`;
}

function show() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  const severities = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  found = [];
  rows.forEach((row, number) => {
    if (!severities.has(row[at.severity]) || (rule.value && row[at.rule] !== rule.value)) return;
    if (wanted.every((word) => texts[number].includes(word))) found.push(number);
  });
  if (order.place !== null) found.sort(compare);
  shown = 0;
  body.replaceChildren();
  append(STEP);
  count.textContent = found.length === rows.length
    ? `${rows.length.toLocaleString("en")} findings`
    : `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} findings`;
}

function sortBy(place, head) {
  order.down = order.place === place && !order.down;
  order.place = place;
  for (const other of head.parentNode.children) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
  show();
}

heads.forEach((head, place) => {
  if (!head.says) return;
  const cell = element("th", null, head.look === "n" ? "n" : "");
  const button = element("button", head.says);
  button.type = "button";
  cell.scope = "col";
  cell.setAttribute("aria-sort", "none");
  button.addEventListener("click", () => sortBy(place, cell));
  cell.append(button);
  document.querySelector("#findings thead tr").append(cell);
});
for (const name of new Set(rows.map((row) => row[at.rule]))) {
  const option = element("option", name);
  option.value = name;
  rule.append(option);
}
for (const button of document.querySelectorAll(".rules button")) {
  button.addEventListener("click", () => {
    rule.value = button.dataset.rule;
    show();
    document.getElementById("list").scrollIntoView();
  });
}
for (const control of [words, rule, ...boxes]) control.addEventListener("input", show);
more.addEventListener("click", () => append(shown + STEP));
// Paper has no buttons: all that was searched for is printed.
window.addEventListener("beforeprint", () => append(found.length));
document.querySelector(".find").hidden = false;
show();
