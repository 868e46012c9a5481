
"use strict";
// Draws the profile that the page carries. Names are only ever drawn or set as text, never as markup.
// The view is in the address (#search=…&group=…&zoom=…), so that a link leads to it.

const profile = JSON.parse(document.getElementById("profile").textContent);
const element = (id) => document.getElementById(id);
const canvas = element("graph"), pen = canvas.getContext("2d"), view = element("view");
const ROW = 18, FONT = "12px ui-monospace, Menlo, Consolas, monospace", LEAST = 0.4, LONGEST = 600;
const state = { group: "", inverted: false, icicle: false, query: "" };
const isDiff = profile.before !== null;
let root = null, zoom = null, chosen = null, rows = [], theme = null;

// --- the tree ---------------------------------------------------------------------------------------------

const ROOT = { name: "all", kind: "mark", module: "", file: "", line: 0 };

function node(frame, parent) {
  return { frame, parent, value: 0, before: 0, own: 0, children: null, list: null, size: 0 };
}

function buildTree() {
  const top = node(ROOT, null), names = new Map();
  const { parents, functions } = profile.stacks, which = profile.labels.indexOf(state.group);
  const path = [];
  for (const [stack, value, before, group] of profile.samples) {
    path.length = 0;
    for (let at = stack; at >= 0; at = parents[at]) path.push(functions[at]);
    if (!state.inverted) path.reverse();
    let at = top;
    at.value += value; at.before += before;
    if (which >= 0) {
      const name = profile.groups[group][which];
      if (!names.has(name)) names.set(name, { ...ROOT, name });
      at = step(at, name, names.get(name), value, before);
    }
    for (let i = 0; i < path.length; i++) at = step(at, path[i], profile.frames[path[i]], value, before);
    at.own += value;
  }
  return top;
}

function step(at, key, frame, value, before) {
  if (at.children === null) at.children = new Map(); // most nodes are leaves
  let child = at.children.get(key);
  if (child === undefined) { child = node(frame, at); at.children.set(key, child); }
  child.value += value; child.before += before;
  return child;
}

const weight = (n) => (isDiff ? Math.max(n.value, n.before) : n.value);
const below = (n) => (n.children === null ? [] : [...n.children.values()]);
const byName = (a, b) => (a.frame.name < b.frame.name ? -1 : a.frame.name > b.frame.name ? 1 : 0);

// Children in the order in which they are drawn; `size` is then what they need together.
function ranked(n) {
  if (n.list === null) {
    n.list = below(n).sort(byName);
    n.size = weight(n);
    let sum = 0;
    for (const child of n.list) sum += weight(child);
    n.size = Math.max(n.size, sum, 1e-9);
  }
  return n.list;
}

function pathOf(n) {
  const names = [];
  for (; n.parent; n = n.parent) names.unshift(n.frame.name);
  return names;
}

function follow(names) {
  let at = root;
  for (const name of names) {
    const next = ranked(at).find((child) => child.frame.name === name);
    if (!next) break;
    at = next;
  }
  return at;
}

// --- colours ----------------------------------------------------------------------------------------------

function hash(text) {
  let sum = 2166136261;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 16777619);
  return (sum >>> 0) / 4294967296;
}

const HUES = { kernel: [12, 34], native: [42, 58], inlined: [58, 76], python: [95, 150], jit: [180, 215] };
const KINDS = { kernel: "kernel", native: "native", inlined: "inlined", python: "Python", jit: "generated code" };

function readTheme() {
  const style = getComputedStyle(document.documentElement);
  theme = {};
  for (const name of ["found", "on-found", "letters", "lightness", "mark", "chosen", "back"]) theme[name] = style.getPropertyValue("--" + name).trim();
  for (const frame of profile.frames) frame.colour = null;
}

function kindColour(kind, share, shade) {
  const hues = HUES[kind];
  if (!hues) return theme.mark;
  return `hsl(${(hues[0] + (hues[1] - hues[0]) * share).toFixed(0)} ${(58 + 22 * shade).toFixed(0)}% ${theme.lightness})`;
}

function changeColour(change) {
  if (Math.abs(change) < 0.02) return "hsl(0 0% 82%)";
  const strength = Math.min(1, Math.abs(change));
  return change > 0 ? `hsl(5 85% ${(88 - 30 * strength).toFixed(0)}%)` : `hsl(212 80% ${(88 - 26 * strength).toFixed(0)}%)`;
}

function colour(n) {
  if (isDiff) {
    const now = n.value / (root.value || 1), old = n.before / (root.before || 1);
    return changeColour((now - old) / Math.max(now, old, 1e-9));
  }
  const f = n.frame;
  if (!f.colour) f.colour = kindColour(f.kind, hash(f.name), hash(f.module + f.name));
  return f.colour;
}

function showLegend() {
  const legend = element("legend");
  legend.textContent = "";
  const swatch = (colour, text) => {
    const i = document.createElement("i"), both = document.createElement("span");
    i.style.background = colour;
    both.append(i, text);
    legend.append(both, " ");
  };
  if (isDiff) { swatch(changeColour(1), "more than before"); swatch(changeColour(-1), "less"); swatch(changeColour(0), "the same"); return; }
  for (const kind of Object.keys(KINDS)) if (profile.frames.some((f) => f.kind === kind)) swatch(kindColour(kind, 0.4, 0.6), KINDS[kind]);
}

// --- layout and drawing -----------------------------------------------------------------------------------

// `rows[depth]` are the boxes of a level from left to right: the one at a place is found by halving.
function layout(width) {
  const focus = zoom || root, above = [];
  for (let n = focus.parent; n; n = n.parent) above.unshift(n);
  rows = above.map((n, depth) => [{ n, x: 0, w: width, depth, faded: true }]);
  let level = [{ n: focus, x: 0, w: width, depth: rows.length, faded: false }];
  while (level.length) {
    rows.push(level);
    const next = [], depth = rows.length;
    for (const box of level) {
      const list = ranked(box.n), scale = box.w / box.n.size;
      let x = box.x;
      for (const child of list) {
        const w = weight(child) * scale;
        if (w >= LEAST) next.push({ n: child, x, w, depth, faded: false });
        x += w;
      }
    }
    level = next;
  }
}

const sheetHeight = () => Math.max(rows.length * ROW, view.clientHeight);
const top_ = (depth) => (state.icicle ? depth * ROW : sheetHeight() - (depth + 1) * ROW);

function relayout() {
  layout(Math.max(view.clientWidth, 50));
  element("sheet").style.height = rows.length * ROW + "px";
  let count = 0;
  for (const row of rows) count += row.length;
  canvas.setAttribute("aria-label", `Flame graph of ${label((zoom || root).frame)}: ${rows.length} levels, ${count} boxes`);
}

function draw() {
  const width = view.clientWidth, height = view.clientHeight, ratio = window.devicePixelRatio || 1;
  canvas.style.width = width + "px"; canvas.style.height = height + "px";
  canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.font = FONT; pen.textBaseline = "middle";
  const letter = pen.measureText("m").width;
  for (const row of rows) {
    const y = top_(row[0].depth) - view.scrollTop;
    if (y > -ROW && y < height) for (const box of row) drawBox(box, y, letter);
  }
  if (root.value === 0 && !isDiff) { pen.fillStyle = theme.mark; pen.fillText("No samples were taken.", 8, height / 2); }
}

function drawBox(box, y, letter) {
  const n = box.n, found = n.frame.found;
  pen.globalAlpha = box.faded ? 0.5 : state.query && !found ? 0.75 : 1;
  pen.fillStyle = found ? theme.found : colour(n);
  pen.fillRect(box.x, y, Math.max(box.w - (box.w > 3 ? 1 : 0), LEAST), ROW - 1);
  pen.globalAlpha = 1;
  if (box.w - 6 >= 3 * letter) {
    pen.fillStyle = found ? theme["on-found"] : theme.letters;
    pen.fillText(cut(label(n.frame), box.w - 6, letter), box.x + 3, y + ROW / 2);
  }
  if (n === chosen) { pen.strokeStyle = theme.chosen; pen.lineWidth = 2; pen.strokeRect(box.x + 1, y + 1, Math.max(box.w - 3, 1), ROW - 3); }
}

// As much of a text as fits. Letters outside ASCII may be wider than others.
function cut(text, room, letter) {
  const most = Math.floor(room / letter);
  if (/^[ -~]*$/.test(text.slice(0, most + 1))) return text.length <= most ? text : text.slice(0, most - 1) + "…";
  let low = 0, high = Math.min(text.length, 4 * most);
  if (text.length <= high && pen.measureText(text).width <= room) return text;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pen.measureText(text.slice(0, middle) + "…").width <= room) low = middle; else high = middle - 1;
  }
  return text.slice(0, low) + "…";
}

// Control and direction characters would garble the drawing.
const clean = (text) => text.replace(/\p{C}/gu, "\ufffd");
const label = (f) => clean(f.name.slice(0, LONGEST)) + (f.name.length > LONGEST ? "…" : "") + (f.kind === "kernel" ? "_[k]" : "");

// --- texts ------------------------------------------------------------------------------------------------

function amount(value) {
  const units = { nanoseconds: [["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 1]], bytes: [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 1024], ["B", 1]] }[profile.unit];
  if (!units) return value.toLocaleString("en") + " " + profile.unit;
  const [unit, size] = units.find(([, size]) => value >= size) || units[units.length - 1];
  return (size === 1 ? value : (value / size).toFixed(2)) + " " + unit;
}

const percent = (part, whole) => (whole ? ((100 * part) / whole).toFixed(2) : "0.00") + " %";

function describe(n) {
  const f = n.frame, parts = [label(f)];
  parts.push(`${amount(n.value)} (${percent(n.value, root.value)})`
    + (zoom ? `, ${percent(n.value, zoom.value)} of what is shown` : "")
    + (n.own ? `, itself ${amount(n.own)} (${percent(n.own, root.value)})` : ""));
  if (isDiff) parts.push(`before: ${amount(n.before)} (${percent(n.before, root.before)})`);
  if (f.file) parts.push(clean(f.file.slice(0, LONGEST)) + (f.line ? ":" + f.line : ""));
  if (f.module && f.module !== f.file) parts.push(clean(f.module.slice(0, LONGEST)));
  return parts;
}

const tell = (n) => { element("status").textContent = n ? describe(n).join("  ·  ") : ""; };

// --- search -----------------------------------------------------------------------------------------------

function matcher(query) {
  const parts = /^\/(.*)\/$/.exec(query);
  if (parts) { try { const r = new RegExp(parts[1], "i"); return (name) => r.test(name); } catch { return null; } }
  const text = query.toLowerCase();
  return (name) => name.toLowerCase().includes(text);
}

function search() {
  const fits = state.query ? matcher(state.query) : () => false;
  element("search").setAttribute("aria-invalid", fits === null);
  for (const frame of profile.frames) frame.found = fits !== null && fits(frame.name);
  let sum = 0;
  const stack = state.query ? [root] : [];
  while (stack.length) {
    const n = stack.pop();
    if (n.frame.found) sum += n.value; // what it called is in it
    else for (const child of below(n)) stack.push(child);
  }
  element("matched").textContent = fits === null ? "not a regular expression" : state.query ? `found: ${percent(sum, root.value)}` : "";
}

// --- the view in the address ------------------------------------------------------------------------------

function remember() {
  const words = new URLSearchParams();
  if (state.query) words.set("search", state.query);
  if (state.group) words.set("group", state.group);
  for (const name of ["inverted", "icicle"]) if (state[name]) words.set(name, "1");
  if (zoom) for (const name of pathOf(zoom)) words.append("zoom", name);
  try { history.replaceState(null, "", "#" + words); } catch { /* a frame without an address of its own */ }
}

function recall() {
  const words = new URLSearchParams(location.hash.slice(1));
  state.query = words.get("search") || "";
  state.group = profile.labels.includes(words.get("group")) ? words.get("group") : "";
  for (const name of ["inverted", "icicle"]) element(name).checked = state[name] = words.get(name) === "1";
  element("search").value = state.query; element("group").value = state.group;
  rebuild(words.getAll("zoom"));
}

// --- events -----------------------------------------------------------------------------------------------

// The root, which is widest, is what one wants to see first.
function show() { relayout(); view.scrollTop = state.icicle ? 0 : sheetHeight(); draw(); }

function rebuild(names) {
  root = buildTree();
  const at = follow(names);
  zoom = at === root ? null : at;
  chosen = null;
  search(); show();
}

function zoomTo(n) { zoom = n === root ? null : n; show(); remember(); }

function boxAt(event) {
  const area = canvas.getBoundingClientRect(), x = event.clientX - area.left, y = event.clientY - area.top + view.scrollTop;
  const depth = Math.floor((state.icicle ? y : sheetHeight() - y) / ROW), row = rows[depth];
  if (!row) return null;
  let low = 0, high = row.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (row[middle].x <= x) low = middle; else high = middle - 1;
  }
  return x >= row[low].x && x < row[low].x + Math.max(row[low].w, 1) ? row[low] : null;
}

canvas.addEventListener("mousemove", (event) => {
  const box = boxAt(event), tip = element("tip");
  canvas.style.cursor = box ? "pointer" : "default";
  tip.hidden = !box;
  tell(box ? box.n : chosen);
  if (!box) return;
  tip.textContent = describe(box.n).join("\n");
  tip.style.left = Math.max(0, Math.min(event.clientX + 12, window.innerWidth - tip.offsetWidth - 8)) + "px";
  const below = event.clientY + 16;
  tip.style.top = Math.max(0, below + tip.offsetHeight > window.innerHeight - 32 ? event.clientY - tip.offsetHeight - 8 : below) + "px";
});
canvas.addEventListener("mouseleave", () => { element("tip").hidden = true; tell(chosen); });
canvas.addEventListener("click", (event) => { const box = boxAt(event); if (box) { chosen = box.n; element("tip").hidden = true; zoomTo(box.n); tell(box.n); } });

function choose(n) {
  chosen = n;
  tell(n);
  for (const row of rows) if (row.some((box) => box.n === n)) {
    const y = top_(row[0].depth);
    if (y < view.scrollTop) view.scrollTop = y;
    else if (y + ROW > view.scrollTop + view.clientHeight) view.scrollTop = y + ROW - view.clientHeight;
  }
  draw();
}

function move(key) {
  const at = chosen || zoom || root, deeper = state.icicle ? "ArrowDown" : "ArrowUp";
  if (!chosen) return choose(at);
  if (key === deeper) {
    const widest = ranked(at).reduce((best, child) => (best === null || weight(child) > weight(best) ? child : best), null);
    if (widest) choose(widest);
  } else if (key === "ArrowUp" || key === "ArrowDown") {
    if (at.parent) choose(at.parent);
  } else if (at.parent) {
    const list = ranked(at.parent), next = list[list.indexOf(at) + (key === "ArrowRight" ? 1 : -1)];
    if (next) choose(next);
  }
}

window.addEventListener("keydown", (event) => {
  if (event.target === element("search")) { if (event.key === "Escape" || event.key === "Enter") canvas.focus(); return; }
  if (event.key === "/" || (event.key === "f" && (event.ctrlKey || event.metaKey))) { event.preventDefault(); element("search").focus(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") zoomTo(root);
  else if (event.key === "Backspace" && zoom) zoomTo(zoom.parent);
  else if (event.target !== canvas) return;
  else if (event.key === "Enter" && chosen) zoomTo(chosen);
  else if (event.key.startsWith("Arrow")) { event.preventDefault(); move(event.key); }
});

element("search").addEventListener("input", (event) => { state.query = event.target.value; search(); draw(); remember(); });
element("group").addEventListener("change", (event) => { state.group = event.target.value; rebuild([]); remember(); });
element("inverted").addEventListener("change", (event) => { state.inverted = event.target.checked; rebuild([]); remember(); });
element("icicle").addEventListener("change", (event) => { state.icicle = event.target.checked; show(); remember(); });
element("reset").addEventListener("click", () => zoomTo(root));
let drawing = false;
view.addEventListener("scroll", () => { if (!drawing) { drawing = true; requestAnimationFrame(() => { drawing = false; draw(); }); } });
window.addEventListener("resize", () => { relayout(); draw(); });
window.addEventListener("hashchange", recall);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readTheme(); showLegend(); draw(); });

element("title").textContent = clean(profile.title);
element("about").textContent = profile.about;
for (const name of profile.labels) {
  const option = document.createElement("option");
  option.value = option.textContent = name;
  element("group").append(option);
}
if (profile.notes.length) {
  element("notes").hidden = false;
  element("notes").firstElementChild.textContent = profile.notes.length === 1 ? "1 note" : profile.notes.length + " notes";
  for (const note of profile.notes) { const p = document.createElement("p"); p.textContent = clean(note); element("notes").append(p); }
}
readTheme();
showLegend();
recall();
