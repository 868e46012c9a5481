"use strict";
// Draws the profile that the page carries. Names are only ever drawn or set as text, never as markup.

const profile = JSON.parse(document.getElementById("profile").textContent);
const element = (id) => document.getElementById(id);
const canvas = element("graph"), pen = canvas.getContext("2d");
const ROW = 18, FONT = "12px ui-monospace, Menlo, Consolas, monospace", LEAST = 0.4;
const state = { group: "none", inverted: false, icicle: false, query: "", zoom: null };
const isDiff = profile.before !== null;
let root = null, boxes = [], rows = 0, hovered = null;

// --- the tree ---------------------------------------------------------------------------------------------

function node(frame, parent) {
  return { frame, parent, value: 0, before: 0, own: 0, children: new Map(), list: null, found: false };
}

function buildTree() {
  const top = node({ name: "all", kind: "mark", module: "", file: "", line: 0 }, null);
  const groupFrames = new Map();
  for (const [stack, value, before, group] of profile.samples) {
    let path = profile.stacks[stack].map((n) => profile.frames[n]);
    if (state.inverted) path = path.slice().reverse();
    if (state.group !== "none") {
      const label = profile.groups[group][state.group];
      if (!groupFrames.has(label)) groupFrames.set(label, { name: label, kind: "mark", module: "", file: "", line: 0 });
      path = [groupFrames.get(label), ...path];
    }
    let at = top;
    at.value += value; at.before += before;
    for (const frame of path) {
      const key = frame.kind + "\u0000" + frame.name + "\u0000" + frame.module;
      let child = at.children.get(key);
      if (child === undefined) { child = node(frame, at); at.children.set(key, child); }
      at = child;
      at.value += value; at.before += before;
    }
    at.own += value;
  }
  return top;
}

const weight = (n) => (isDiff ? Math.max(n.value, n.before) : n.value);

function ranked(n) {
  if (n.list === null) {
    n.list = [...n.children.values()].sort((a, b) => (a.frame.name < b.frame.name ? -1 : a.frame.name > b.frame.name ? 1 : 0));
  }
  return n.list;
}

// --- colours ----------------------------------------------------------------------------------------------

function hash(text) {
  let sum = 2166136261;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 16777619);
  return (sum >>> 0) / 4294967296;
}

const HUES = { kernel: [20, 40], native: [40, 60], python: [95, 150], jit: [170, 210], mark: [220, 240] };

function colour(n) {
  if (n.found) return getComputedStyle(document.documentElement).getPropertyValue("--found");
  if (isDiff) {
    const [new_, old] = [n.value / (root.value || 1), n.before / (root.before || 1)];
    const change = Math.max(-1, Math.min(1, (new_ - old) / Math.max(new_, old, 1e-9)));
    if (Math.abs(change) < 0.02) return "hsl(0 0% 82%)";
    return change > 0 ? `hsl(5 85% ${88 - 35 * change}%)` : `hsl(215 80% ${88 + 35 * change}%)`;
  }
  const [low, high] = HUES[n.frame.kind] || HUES.mark;
  if (n.frame.kind === "mark") return "hsl(220 8% 72%)";
  const share = hash(n.frame.module + n.frame.name);
  return `hsl(${low + (high - low) * hash(n.frame.name)} ${60 + 25 * share}% ${62 + 10 * share}%)`;
}

// --- layout and drawing -----------------------------------------------------------------------------------

function layout(width) {
  boxes = []; rows = 0;
  const focus = state.zoom || root, chain = [];
  for (let n = focus.parent; n; n = n.parent) chain.unshift(n);
  chain.forEach((n, depth) => boxes.push({ n, x: 0, w: width, depth, faded: true }));
  const stack = [[focus, 0, width, chain.length]];
  while (stack.length) {
    const [n, x, w, depth] = stack.pop();
    boxes.push({ n, x, w, depth, faded: false });
    rows = Math.max(rows, depth + 1);
    let total = 0;
    for (const child of n.children.values()) total += weight(child);
    const scale = w / Math.max(weight(n), total, 1e-9);
    let at = x;
    for (const child of ranked(n)) {
      const size = weight(child) * scale;
      if (size >= LEAST) stack.push([child, at, size, depth + 1]);
      at += size;
    }
  }
}

function draw() {
  const width = canvas.parentElement.clientWidth - 24, ratio = window.devicePixelRatio || 1;
  layout(width);
  const height = rows * ROW;
  canvas.style.height = height + "px";
  canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = FONT; pen.textBaseline = "middle";
  const letter = pen.measureText("m").width;
  for (const box of boxes) {
    box.y = state.icicle ? box.depth * ROW : height - (box.depth + 1) * ROW;
    pen.globalAlpha = box.faded ? 0.5 : 1;
    pen.fillStyle = colour(box.n);
    pen.fillRect(box.x, box.y, Math.max(box.w - (box.w > 3 ? 1 : 0), LEAST), ROW - 1);
    const fits = Math.floor((box.w - 6) / letter);
    if (fits >= 3) {
      const name = label(box.n.frame);
      pen.fillStyle = box.n.found ? "#ffffff" : "#1a1a1a";
      pen.fillText(name.length > fits ? name.slice(0, fits - 1) + "…" : name, box.x + 3, box.y + ROW / 2);
    }
  }
  pen.globalAlpha = 1;
}

// Control and direction characters would garble the drawing.
const clean = (text) => text.replace(/[\p{C}]/gu, "\ufffd");
const label = (frame) => clean(frame.name) + (frame.kind === "kernel" ? "_[k]" : "");

// --- texts ------------------------------------------------------------------------------------------------

function amount(value) {
  if (profile.unit === "nanoseconds") {
    for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) if (value >= size) return (value / size).toFixed(2) + " " + unit;
    return value + " ns";
  }
  if (profile.unit === "bytes") {
    for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 1024]]) if (value >= size) return (value / size).toFixed(1) + " " + unit;
    return value + " B";
  }
  return value.toLocaleString("en") + " " + profile.unit;
}

const percent = (part, whole) => (whole ? ((100 * part) / whole).toFixed(2) : "0.00") + " %";

function describe(n) {
  const f = n.frame, parts = [label(f)];
  parts.push(`${amount(n.value)} (${percent(n.value, root.value)})` + (n.own ? `, itself ${amount(n.own)} (${percent(n.own, root.value)})` : ""));
  if (isDiff) parts.push(`before: ${amount(n.before)} (${percent(n.before, root.before)})`);
  if (f.file) parts.push(clean(f.file) + (f.line ? ":" + f.line : ""));
  if (f.module) parts.push(clean(f.module));
  return parts;
}

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
  let sum = 0;
  const stack = [[root, false]];
  while (stack.length) {
    const [n, counted] = stack.pop();
    n.found = fits !== null && n !== root && fits(n.frame.name);
    if (n.found && !counted) sum += n.value;
    for (const child of n.children.values()) stack.push([child, counted || n.found]);
  }
  element("matched").textContent = fits === null ? "not a regular expression" : state.query ? `found: ${percent(sum, root.value)}` : "";
}

// --- events -----------------------------------------------------------------------------------------------

// The root, which is widest, is what one wants to see first.
function showRoot() { window.scrollTo(0, state.icicle ? 0 : document.documentElement.scrollHeight); }

function rebuild() { root = buildTree(); state.zoom = null; search(); draw(); showRoot(); }

function boxAt(event) {
  const area = canvas.getBoundingClientRect(), x = event.clientX - area.left, y = event.clientY - area.top;
  return boxes.find((box) => y >= box.y && y < box.y + ROW && x >= box.x && x < box.x + Math.max(box.w, 1)) || null;
}

canvas.addEventListener("mousemove", (event) => {
  const box = boxAt(event), tip = element("tip");
  hovered = box;
  canvas.style.cursor = box ? "pointer" : "default";
  tip.hidden = !box;
  element("status").textContent = box ? describe(box.n).join("  ·  ") : "\u00a0";
  if (!box) return;
  tip.textContent = describe(box.n).join("\n");
  tip.style.left = Math.max(0, Math.min(event.clientX + 12, window.innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = Math.max(0, Math.min(event.clientY + 16, window.innerHeight - tip.offsetHeight - 32)) + "px";
});
canvas.addEventListener("mouseleave", () => { element("tip").hidden = true; element("status").textContent = "\u00a0"; });
canvas.addEventListener("click", (event) => { const box = boxAt(event); if (box) zoomTo(box.n); });

function zoomTo(n) { state.zoom = n === root ? null : n; draw(); showRoot(); }

window.addEventListener("keydown", (event) => {
  if (event.target === element("search")) { if (event.key === "Escape") canvas.focus(); return; }
  if (event.key === "Escape") zoomTo(root);
  if (event.key === "Backspace" && state.zoom) zoomTo(state.zoom.parent || root);
  if (event.key === "/" || (event.key === "f" && event.ctrlKey)) { event.preventDefault(); element("search").focus(); }
});
element("search").addEventListener("input", (event) => { state.query = event.target.value; search(); draw(); });
element("group").addEventListener("change", (event) => { state.group = event.target.value; rebuild(); });
element("inverted").addEventListener("change", (event) => { state.inverted = event.target.checked; rebuild(); });
element("icicle").addEventListener("change", (event) => { state.icicle = event.target.checked; draw(); showRoot(); });
element("reset").addEventListener("click", () => zoomTo(root));
window.addEventListener("resize", draw);

element("title").textContent = clean(profile.title);
element("about").textContent = profile.about;
for (const note of profile.notes) { const p = document.createElement("p"); p.textContent = clean(note); element("notes").append(p); }
rebuild();
