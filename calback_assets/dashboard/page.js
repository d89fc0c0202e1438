"use strict";
// What the page does when somebody chooses days: cuts the figures to them, and puts them into pictures, tables and words.
// Names of strangers are put in as text and as data, never as HTML and never into an expression.
(() => {
  const content = JSON.parse(document.getElementById("content").textContent);
  const { labels, few } = content;
  const DAY = 86400000;
  const millis = (day) => (/^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : NaN);
  const iso = (time) => new Date(time).toISOString().slice(0, 10);
  const first = millis(content.first);
  const last = millis(content.last);

  const counts = new Intl.NumberFormat(labels.locale, { maximumFractionDigits: 1 });
  const shares = new Intl.NumberFormat(labels.locale, { style: "percent", maximumFractionDigits: 1 });
  const days = new Intl.DateTimeFormat(labels.locale, { dateStyle: "medium", timeZone: "UTC" });
  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const written = (value, kind) => {
    if (value === few) return labels.few;
    if (value === null || value === undefined) return "–";
    if (kind === "day") return days.format(value);
    if (kind === "share" || kind === "told") return shares.format(value);
    return kind === "text" ? value : counts.format(value);
  };
  const number = (value) => (typeof value === "number" ? value : null);
  const isDrawn = ([, , kind]) => kind === "count" || kind === "share";

  // The figures, with days as numbers.
  const timed = (rows) => rows.map((row) => ({ ...row, date: millis(row.date), until: row.until && millis(row.until) }));
  const notFinal = new Set(content.notFinal.map(millis));
  const restated = new Set(content.restated.map(millis));
  const state = (time) => (notFinal.has(time) ? labels.not_final : restated.has(time) ? labels.restated : "");
  const daily = timed(content.days).map((row) => ({ ...row, state: state(row.date) }));
  const weeks = timed(content.weeks);
  const cohorts = timed(content.cohorts);
  const notes = timed(content.notes);
  const within = (rows, range) => rows.filter((row) => row.date >= range.from && (row.until || row.date) <= range.to);
  const length = (range) => Math.round((range.to - range.from) / DAY) + 1;
  const before = (range) => ({ from: range.from - length(range) * DAY, to: range.from - DAY });
  const at = (time) => daily[Math.round((time - first) / DAY)];

  // How a picture's rows are cut to a range; each also tells the columns that hang on it.
  const cut = {
    days: (range) => ({ rows: within(daily, range) }),
    weeks: (range) => ({ rows: within(weeks, range) }),
    cohorts: (range) => ({ rows: within(cohorts, range) }),
    before: (range) => ({
      rows: within(daily, range).map((row) => {
        const time = row.date - length(range) * DAY;
        const earlier = at(time);
        return { ...row, before_date: time, before: earlier ? earlier.dau : null };
      }),
    }),
    values: (range, name) => {
      const { names, cells } = content.values[name];
      const begin = (range.from - first) / DAY;
      const chosen = cells.filter(([day]) => day >= begin && day < begin + length(range));
      const totals = new Map();
      for (const [, value, people] of chosen) totals.set(value, (totals.get(value) || 0) + (number(people) || 0));
      // Value 0 is the rest.
      const ranked = [...totals.keys()].filter((value) => value).sort((a, b) => totals.get(b) - totals.get(a) || a - b);
      const top = new Set(ranked.slice(0, content.shownValues));
      const rows = within(daily, range).map(({ date, state }) => ({ date, state }));
      for (const [day, value, people] of chosen) {
        const row = rows[day - begin];
        if (top.has(value)) row[`value_${value}`] = people;
        else row.value_0 = number(people) === null ? row.value_0 || people : (number(row.value_0) || 0) + people;
      }
      const shown = [...top, ...(totals.size > top.size ? [0] : [])];
      return { rows, columns: shown.map((value) => [`value_${value}`, names[value], "count"]) };
    },
  };

  // The rows as Vega takes them: one for each point, bar or cell.
  const points = (rows, columns) =>
    rows.flatMap((row) =>
      columns.filter(isDrawn).map(([name, title, kind]) => ({
        date: row.date, day: days.format(row.date), series: title, value: number(row[name]),
        told: `${title}: ${written(row[name], kind)}`,
      })));
  const stacked = (rows, columns) =>
    rows.flatMap((row) => {
      let top = 0;
      return points([row], columns).flatMap((point) => {
        if (point.value === null) return [];
        const isBelow = point.series === labels.dormant;
        const bottom = isBelow ? 0 : top;
        const height = isBelow ? -point.value : point.value;
        top = isBelow ? top : bottom + height;
        return [{ ...point, until: row.until + DAY, bottom, top: bottom + height }];
      });
    });
  const cells = (rows, columns) =>
    points(rows, columns).filter((point) => point.value !== null)
      .map((point) => ({ ...point, period: parseInt(point.series.replace(/\D/g, ""), 10), per_cent: Math.round(100 * point.value) }));
  const shape = { weeks: stacked, cohorts: cells };

  const make = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };

  // A cell that begins with one of these, or with their wide forms, would be a formula in a spreadsheet.
  const safe = (text) => (/^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text);
  const csvCell = (value, kind) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return kind === "day" ? iso(value) : String(value);
    return `"${safe(value).replace(/"/g, '""')}"`;
  };
  const csv = ({ rows, columns }) =>
    [columns.map(([, title]) => csvCell(title, "text")), ...rows.map((row) => columns.map(([name, , kind]) => csvCell(row[name], kind)))]
      .map((line) => line.join(",") + "\r\n").join("");

  const pictures = content.pictures.map((picture) => {
    const figure = document.getElementById(picture.name);
    const chart = figure.querySelector(".chart");
    const details = figure.querySelector("details");
    let shown = { rows: [], columns: [] };
    let view = null;

    const tabulate = () => {
      if (!details.open) return;
      const head = document.createElement("tr");
      head.append(...shown.columns.map(([, title]) => make("th", title, { scope: "col" })));
      details.querySelector("thead").replaceChildren(head);
      details.querySelector("tbody").replaceChildren(...[...shown.rows].reverse().map((row) => {
        const line = document.createElement("tr");
        line.append(...shown.columns.map(([name, , kind], index) =>
          index ? make("td", written(row[name], kind)) : make("th", written(row[name], kind), { scope: "row" })));
        return line;
      }));
    };
    details.addEventListener("toggle", tabulate);
    figure.querySelector(".download").addEventListener("click", () => {
      // The mark at the beginning tells spreadsheets that this is UTF-8.
      const address = URL.createObjectURL(new Blob(["\ufeff", csv(shown)], { type: "text/csv" }));
      make("a", "", { href: address, download: `calback-${picture.name}-${shown.said}.csv` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60000);
    });

    return async (range, shades, marks) => {
      const { rows, columns = [] } = cut[picture.rows](range, picture.name);
      const fixed = picture.columns.filter(([name]) => name !== "state");
      const states = picture.columns.filter(([name]) => name === "state" && rows.some((row) => row.state));
      shown = { rows, columns: [...fixed, ...columns, ...states], said: `${iso(range.from)}-${iso(range.to)}` };
      const drawn = (shape[picture.rows] || points)(rows, shown.columns);
      const isEmpty = !drawn.some((point) => point.value !== null);
      chart.parentElement.hidden = isEmpty;
      figure.querySelector(".nothing").hidden = !isEmpty;
      tabulate();
      if (isEmpty) return;
      // Vega-Lite makes a picture as wide as its place, or as high as its rows, but not both.
      const height = picture.rowHeight && picture.rowHeight * rows.length;
      const datasets = { rows: drawn, open: shades, notes: marks };
      if (!view) {
        const named = Object.entries(datasets).filter(([name]) => JSON.stringify(picture.spec).includes(`{"name":"${name}"}`));
        ({ view } = await vegaEmbed(chart, { ...picture.spec, ...(height && { height }), datasets: Object.fromEntries(named) }, {
          mode: "vega-lite", renderer: "svg", ast: true, actions: false, defaultStyle: false, logLevel: 1,
          tooltip: { disableDefaultStyle: true },
        }));
        return;
      }
      for (const name of Object.keys(view.getState({ data: (name) => name in datasets }).data)) view.data(name, datasets[name]);
      if (height) view.height(height);
      await view.resize().runAsync();
    };
  });

  const measured = ({ column, how }, range) => {
    if (range.from < first) return null;
    const values = within(daily, range).map((row) => row[column]);
    if (how === "last") return number(values[values.length - 1]);
    const known = values.filter((value) => value !== null);
    if (!known.length || known.some((value) => typeof value !== "number") || (how === "sum" && known.length < values.length)) return null;
    const sum = known.reduce((total, value) => total + value, 0);
    return how === "sum" ? sum : sum / known.length;
  };
  const change = (now, earlier, kind) => {
    if (now === null || earlier === null || !earlier) return labels.no_earlier;
    const grown = now / earlier - 1;
    const values = { change: shares.format(Math.abs(grown)), before: written(kind === "count" ? Math.round(earlier) : earlier, kind) };
    const isSame = values.change === shares.format(0);
    return filled(isSame ? labels.same : grown > 0 ? labels.up : labels.down, values);
  };
  const tile = (told, range) => {
    const now = measured(told, range);
    const element = document.createElement("div");
    const rounded = now !== null && told.kind === "count" ? Math.round(now) : now;
    element.append(
      make("dt", told.title),
      make("dd", written(rounded, told.kind), { class: "figure" }),
      make("dd", change(now, measured(told, before(range)), told.kind), { class: "change" }),
    );
    return element;
  };

  // The range is in the address, so that it can be sent to somebody, and found again.
  const newest = (count) => ({ from: count ? Math.max(first, last - (count - 1) * DAY) : first, to: last });
  const chosen = () => {
    const said = new URLSearchParams(location.hash.slice(1));
    const from = millis(said.get("from") || "");
    const to = millis(said.get("to") || "");
    const isRange = first <= from && from <= to && to <= last;
    return isRange ? { from, to } : newest(90);
  };
  const choose = ({ from, to }) => { location.hash = `from=${iso(from)}&to=${iso(to)}`; };
  // One after the other: a picture is not drawn for new days before it stands for the old ones.
  let shown = Promise.resolve();
  const showNext = () => { shown = shown.then(show); };
  const inputs = ["from", "to"].map((name) => document.getElementById(name));
  const buttons = [...document.querySelectorAll("[data-days]")];

  const show = async () => {
    const range = chosen();
    inputs[0].value = iso(range.from);
    inputs[1].value = iso(range.to);
    for (const button of buttons) {
      const { from, to } = newest(Number(button.dataset.days));
      button.setAttribute("aria-pressed", String(from === range.from && to === range.to));
    }
    const other = document.getElementById("other");
    other.href = other.getAttribute("href").replace(/#.*/, "") + location.hash;
    document.getElementById("said").textContent = filled(labels.range_said, {
      from: days.format(range.from), to: days.format(range.to), days: counts.format(length(range)),
    });
    const open = within([...notFinal].map((date) => ({ date })), range);
    document.getElementById("not-final").textContent = open.length
      ? filled(labels.not_final_said, { days: open.map(({ date }) => days.format(date)).join(", ") }) : "";
    const changed = within([...restated].map((date) => ({ date })), range);
    document.getElementById("restated").textContent = changed.length
      ? filled(labels.restated_said, { count: counts.format(changed.length) }) : "";
    document.getElementById("tiles").replaceChildren(...content.tiles.map((told) => tile(told, range)));

    const marks = within(notes, range).map((note, index) => ({ ...note, number: String(index + 1), day: days.format(note.date) }));
    const list = document.getElementById("notes");
    list.hidden = !marks.length;
    list.querySelector("ol").replaceChildren(...marks.map((note) => make("li", `${note.day}: ${note.text}`)));
    const shade = (opacity) => ({ date }) =>
      ({ date: date - DAY / 2, until: date + DAY / 2, day: days.format(date), state: state(date), opacity });
    const shades = [...open.map(shade(0.25)), ...changed.map(shade(0.12))];
    await Promise.all(pictures.map((draw) => draw(range, shades, marks)));
    document.documentElement.dataset.drawn = `${iso(range.from)} ${iso(range.to)}`;
  };
  for (const input of inputs)
    input.addEventListener("change", () => {
      const [from, to] = inputs.map(({ value }) => millis(value));
      if (first <= from && from <= to && to <= last) choose({ from, to });
      else showNext();
    });
  for (const button of buttons) button.addEventListener("click", () => choose(newest(Number(button.dataset.days))));
  window.addEventListener("hashchange", showNext);
  showNext();
})();
