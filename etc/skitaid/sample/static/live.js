// The live view of the request log: asks /live for what is new and puts it on top of the table.
"use strict";

const EVERY_MS = 2000;
const AFTER_ERROR_MS = 6000;
const MAX_ROWS = 30;

const note = document.getElementById("live-note");
const table = document.getElementById("live-table");
const rows = document.getElementById("live-rows");
const pause = document.getElementById("live-pause");

let position = "";
let paused = false;

function cell(text, className = "") {
  const td = document.createElement("td");
  td.textContent = text; // as text: what a visitor asked for must never become markup
  td.className = className;
  return td;
}

function requestCell(entry) {
  const td = cell("", "request");
  const method = document.createElement("b");
  method.textContent = entry.method;
  const isOtherHost = entry.host !== "-" && entry.host.split(":")[0] !== location.hostname;
  td.append(method, " ", (isOtherHost ? entry.host : "") + entry.path);
  return td;
}

function handling(entry) {
  return (entry.handling_ms === "0" ? "< 1" : entry.handling_ms) + " ms";
}

function row(entry) {
  const tr = document.createElement("tr");
  const status = cell("", "status");
  const badge = document.createElement("span");
  badge.textContent = entry.status;
  badge.className = "s" + entry.status[0];
  status.append(badge);
  tr.append(
    cell(entry.time, "time"), requestCell(entry), status, cell(handling(entry), "number"),
    cell(entry.reply_bytes, "number extra"), cell(entry.worker, "extra"));
  return tr;
}

function show(answer) {
  rows.prepend(...answer.entries.map(row).reverse());
  while (rows.childElementCount > MAX_ROWS) rows.lastElementChild.remove();
  position = answer.position;
  const isEmpty = rows.childElementCount === 0;
  table.hidden = isEmpty;
  pause.hidden = isEmpty;
  note.textContent = answer.note || (isEmpty ? "No request has been logged yet." : "");
  note.hidden = note.textContent === "";
}

async function ask() {
  const reply = await fetch("/live?since=" + encodeURIComponent(position), { cache: "no-store" });
  if (!reply.ok) throw new Error("status " + reply.status);
  show(await reply.json());
}

async function turn() {
  let wait = EVERY_MS;
  if (!paused && !document.hidden) {
    try {
      await ask();
    } catch (error) {
      note.textContent = "The log cannot be reached just now; trying again.";
      note.hidden = false;
      wait = AFTER_ERROR_MS;
    }
  }
  setTimeout(turn, wait);
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on" : "Pause";
});

turn();
