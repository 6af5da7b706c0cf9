// The console's script. Every page works without it: it adds keys, times of this place, charts and refreshing.
"use strict";
(() => {
  const main = () => document.getElementById("main");
  const all = (selector) => [...document.querySelectorAll(selector)];

  // Times: the server writes them in UTC, and only the browser knows the zone of its reader.
  const showTimes = () => {
    const choice = document.documentElement.dataset.times;
    if (choice !== "local") return;
    for (const time of all("time[datetime]")) {
      const moment = new Date(time.dateTime);
      if (!Number.isNaN(moment.getTime())) {
        time.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
      }
    }
  };

  // Charts: <figure class="chart" data-times="[…]" data-values="[…]">.
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const draw = () => {
    for (const figure of all("figure.chart[data-values]")) {
      if (figure.querySelector(".uplot") || !window.uPlot) continue;
      const times = JSON.parse(figure.dataset.times);
      const values = JSON.parse(figure.dataset.values);
      if (times.length < 2) continue;
      const small = Number(figure.dataset.height) < 100;
      const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line") }, show: !small };
      const options = {
        width: Math.max(120, figure.clientWidth),
        height: Number(figure.dataset.height),
        legend: { show: false },
        cursor: { show: !small },
        axes: [axis, axis],
        scales: { y: { range: (_, __, most) => [most > 0 ? -most / 20 : -0.05, most > 0 ? most * 1.1 : 1] } },
        series: [{}, { label: figure.dataset.label, stroke: colour("--accent"), width: 1.5, points: { show: !small } }],
      };
      new window.uPlot(options, [times, values], figure);
      figure.classList.add("drawn");
      figure.classList.toggle("small", small);
    }
  };

  // Cells get the names of their columns, so that a narrow window can show a row as a card.
  const nameCells = () => {
    for (const table of all(".wide > table")) {
      const names = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
      for (const row of table.querySelectorAll("tbody tr, tfoot tr")) {
        for (const cell of row.cells) {
          const name = names[cell.cellIndex];
          if (cell.tagName === "TD" && cell.colSpan === 1 && name) cell.dataset.label = name;
        }
      }
      if (names.length) table.classList.add("cards");
    }
  };

  const prepare = () => { showTimes(); nameCells(); draw(); };

  // Refreshing: not in hidden tabs, nor while somebody fills in a form or reads a dialog.
  const isBusy = () => {
    const focused = document.activeElement;
    return document.hidden
      || Boolean(document.querySelector("dialog[open]"))
      || Boolean(main().querySelector("details[open]:not([data-kept])"))
      || all("#main input:is([type=checkbox], [type=radio])").some((box) => box.checked !== box.defaultChecked)
      || (main().contains(focused) && ["INPUT", "SELECT", "TEXTAREA"].includes(focused.tagName))
      || all("#main input:not([type=hidden]), #main textarea").some((field) => field.value !== field.defaultValue);
  };
  let last = Date.now();
  const refresh = () => {
    const element = main();
    const due = Date.now() - last >= 1000 * Number(element.dataset.refresh);
    if (element.dataset.live === "live" && due && !isBusy() && window.htmx) {
      last = Date.now();
      window.htmx.trigger(element, "refresh");
    }
  };
  window.setInterval(refresh, 500);
  document.addEventListener("visibilitychange", refresh);

  // Rows: j and k move, Enter opens, x selects.
  let at = -1;
  const rows = () => all("#main tbody tr:not(.group)");
  const move = (step) => {
    const list = rows();
    if (!list.length) return;
    at = Math.min(list.length - 1, Math.max(0, at + step));
    mark();
    list[at].scrollIntoView({ block: "nearest" });
  };
  const mark = () => rows().forEach((row, index) => row.classList.toggle("at", index === at));

  const keys = {
    "/": () => document.querySelector("[data-search], input[type=search]")?.focus(),
    j: () => move(1),
    k: () => move(-1),
    Enter: () => rows()[at]?.querySelector("a[href]")?.click(),
    x: () => rows()[at]?.querySelector("input[type=checkbox]")?.click(),
    r: () => (rows()[at]?.querySelector("[data-key=r]") || document.querySelector("[data-key=r]"))?.click(),
    "?": () => document.getElementById("keys")?.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input:not([type=checkbox]), textarea, select, dialog, [contenteditable]");
    const pressing = event.key === "Enter" && event.target.closest?.("a, button, summary");
    if (typing || pressing || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });

  // [data-all] (un)checks every box of its form or table; [data-close] closes its dialog; [data-open] opens one.
  document.addEventListener("change", (event) => {
    if (!event.target.matches?.("[data-all]")) return;
    const boxes = event.target.closest("form, table").querySelectorAll("tbody input[type=checkbox]");
    for (const box of boxes) box.checked = event.target.checked;
  });
  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-open]");
    if (opener) {
      event.preventDefault();
      document.getElementById(opener.dataset.open)?.showModal();
    }
    if (event.target.closest?.("[data-close]")) event.target.closest("dialog")?.close();
  });

  // The console itself may be away: what is seen is then of before, and says so.
  const say = (isAway) => () => { document.getElementById("away").hidden = !isAway; };
  for (const name of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(name, say(true));
  document.addEventListener("htmx:afterOnLoad", say(false));

  // In a narrow window the names of the screens scroll sideways.
  document.querySelector(".top nav a[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

  for (const name of ["htmx:afterSwap", "htmx:afterSettle"]) document.addEventListener(name, () => { prepare(); mark(); });
  prepare();
})();
