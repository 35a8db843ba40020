"use strict";
// Places the nodes of the lineage by dagre, draws what joins them, and traces a column when it is chosen.
const graph = document.getElementById("graph");
const nodes = new Map([...graph.querySelectorAll(".node")].map((node) => [node.dataset.node, node]));
const columns = new Map([...graph.querySelectorAll(".column")].map((column) => [column.dataset.column, column]));
const drawn = new Map();
const originsOf = (element) => JSON.parse(element.dataset.origins);
const SVG = "http://www.w3.org/2000/svg";
const picture = document.createElementNS(SVG, "svg");
picture.setAttribute("aria-hidden", "true");

function layOut() {
  graph.classList.add("laid");
  const narrow = graph.parentElement.clientWidth < 700;
  const made = new dagre.graphlib.Graph();
  made.setGraph({ rankdir: narrow ? "TB" : "LR", nodesep: 28, ranksep: narrow ? 36 : 64, marginx: 18, marginy: 18 });
  made.setDefaultEdgeLabel(() => ({}));
  for (const [id, node] of nodes) made.setNode(id, { width: node.offsetWidth, height: node.offsetHeight });
  for (const [id, node] of nodes) for (const origin of originsOf(node)) if (nodes.has(origin)) made.setEdge(origin, id);
  dagre.layout(made);
  for (const [id, node] of nodes) {
    const { x, y, width, height } = made.node(id);
    node.style.left = `${x - width / 2}px`;
    node.style.top = `${y - height / 2}px`;
  }
  const { width, height } = made.graph();
  graph.style.width = `${width}px`;
  graph.style.height = `${height}px`;
  picture.setAttribute("width", width);
  picture.setAttribute("height", height);
  picture.replaceChildren(...made.edges().map((edge) => line(edge, made.edge(edge).points)));
  drawTraced();
}

function line({ v, w }, points) {
  const path = document.createElementNS(SVG, "path");
  const [first, ...rest] = points;
  let way = `M${first.x},${first.y}`;
  for (let i = 0; i < rest.length - 1; i += 1) {
    const end = i === rest.length - 2 ? rest[i + 1] : { x: (rest[i].x + rest[i + 1].x) / 2, y: (rest[i].y + rest[i + 1].y) / 2 };
    way += ` Q${rest[i].x},${rest[i].y} ${end.x},${end.y}`;
  }
  path.setAttribute("d", way);
  drawn.set(`${v} ${w}`, path);
  return path;
}

let chosen = null;

function traced() {
  const found = new Set([chosen]);
  const back = (id) => originsOf(columns.get(id)).filter((origin) => columns.has(origin));
  const walk = (id, next) => next(id).forEach((other) => { if (!found.has(other)) { found.add(other); walk(other, next); } });
  const forth = (id) => [...columns.keys()].filter((other) => originsOf(columns.get(other)).includes(id));
  if (chosen) { walk(chosen, back); walk(chosen, forth); }
  return found;
}

function nodeOf(id) {
  return columns.get(id).closest(".node").dataset.node;
}

function drawTraced() {
  const found = chosen ? traced() : new Set();
  for (const [id, column] of columns) {
    column.setAttribute("aria-pressed", String(id === chosen));
    column.classList.toggle("traced", found.has(id) && id !== chosen);
  }
  const through = new Set([...found].map(nodeOf));
  for (const id of [...through]) {
    // A file's field reaches the table by way of the vault, which has no columns of its own.
    for (const origin of originsOf(nodes.get(id))) {
      if (nodes.has(origin) && originsOf(nodes.get(origin)).some((before) => through.has(before))) through.add(origin);
    }
  }
  for (const [id, node] of nodes) node.classList.toggle("traced", through.has(id));
  for (const [ends, path] of drawn) {
    const [from, to] = ends.split(" ");
    path.classList.toggle("traced", through.has(from) && through.has(to));
  }
}

function tell() {
  const told = document.getElementById("traced");
  if (!chosen) { told.textContent = ""; return; }
  const others = [...traced()].filter((id) => id !== chosen).map((id) => id.replace(/:(?=[^:]*$)/, " › ").replace(/^file:/, "file of "));
  told.textContent = `${chosen.replace(/:(?=[^:]*$)/, " › ")}: ${others.length ? others.join(", ") : "comes from no other column, and none comes from it"}`;
}

function choose(id) {
  chosen = chosen === id ? null : id;
  if (chosen) for (const one of traced()) columns.get(one).closest("details").open = true;
  drawTraced();
  tell();
}

graph.prepend(picture);
for (const [id, column] of columns) column.addEventListener("click", () => choose(id));
for (const details of graph.querySelectorAll("details")) details.addEventListener("toggle", layOut);
addEventListener("resize", layOut);
layOut();
