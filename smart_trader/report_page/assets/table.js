// The ranked table: sort, filter, choose columns, take it away.
const board = { sort: "overall_rank", descending: false, shown: new Set(), rows: [] };

// Above 100 a factor says no more than that losses hardly occur.
const factor = (wallet) => (wallet.never_lost ? "no loss" : ratio(wallet.profit_factor));

const SORTED = {
  overall_rank: (wallet) => wallet.overall_rank ?? Infinity,
  tier: (wallet) => ["ELITE", "STRONG", "PROMISING", "QUALIFIED"].indexOf(wallet.tier),
  profit_factor: (wallet) => (wallet.never_lost ? Infinity : wallet.profit_factor),
  spark: (wallet) => (wallet.spark.length ? wallet.spark.at(-1)[1] - wallet.spark[0][1] : null),
  flags: (wallet) => wallet.flags.length,
};
const valueOf = (wallet, key) => (SORTED[key] ? SORTED[key](wallet) : wallet[key]);
// Text and ranks begin with the first, figures with the largest.
const FROM_SMALL = new Set(["overall_rank", "address", "tier", "grade", "uncapped_tier", "median_hours", "flags"]);

const sparkline = (points) => {
  if (points.length < 2) return element("span", {}, NONE);
  const [times, values] = [points.map(([time]) => time), points.map(([, value]) => value)];
  const [left, right] = [times[0], times.at(-1)];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (time) => 2 + (106 * (time - left)) / (right - left || 1);
  const y = (value) => (high === low ? 13 : 24 - (22 * (value - low)) / (high - low));
  let path = `M${x(times[0]).toFixed(1)},${y(values[0]).toFixed(1)}`;
  for (const [time, value] of points.slice(1)) path += `H${x(time).toFixed(1)}V${y(value).toFixed(1)}`;
  const change = values.at(-1) - values[0];
  const name = `realized in 30 days: ${money(change)} USD`;
  return drawn("svg", { class: "spark", viewBox: "0 0 110 26", role: "img", "aria-label": name },
    drawn("title", {}, name), drawn("path", { d: path }));
};

const CELLS = {
  rank: (wallet) => (wallet.former ? "former" : count(wallet.overall_rank)),
  wallet: (wallet) =>
    element("span", {},
      element("button", { type: "button", class: "pick", title: wallet.address, onclick: () => choose(wallet.address, true) }, shorten(wallet.address)),
      " ", copyButton(wallet.address), element("br"), explorerLinks(wallet.address)),
  tier: (wallet, key) => (wallet[key] ? element("span", { class: "tier" }, wallet[key]) : NONE),
  grade: (wallet) => (wallet.grade ? element("span", { class: `grade grade-${wallet.grade}` }, wallet.grade) : NONE),
  money: (wallet, key) => element("span", { class: key === "drawdown" || key.startsWith("total_") && key !== "total_pnl" ? "" : sign(wallet[key]) }, money(wallet[key])),
  share: (wallet, key) => element("span", { class: sign(wallet[key]) }, signedShare(wallet[key])),
  percent: (wallet, key) => percent(wallet[key]),
  portion: (wallet, key) => portion(wallet[key]),
  count: (wallet, key) => count(wallet[key]),
  ratio: (wallet, key) => (key === "profit_factor" ? factor(wallet) : ratio(wallet[key])),
  hours: (wallet, key) => duration(wallet[key]),
  time: (wallet, key) => (isMissing(wallet[key]) ? NONE : element("time", { datetime: wallet[key], title: stamp(wallet[key]) }, stamp(wallet[key]).slice(0, 10))),
  spark: (wallet) => sparkline(wallet.spark),
  flags: (wallet) => (wallet.flags.length ? element("span", {}, ...wallet.flags.map(flagChip)) : NONE),
};
const NUMBERS = new Set(["rank", "money", "share", "percent", "portion", "count", "ratio", "hours", "time"]);
// Without it a row would be nobody's.
const ALWAYS_SHOWN = "address";
const shownColumns = () => data.columns.filter((column) => board.shown.has(column.key));

const compareValues = (key, descending) => (one, other) => {
  const [a, b] = [valueOf(one, key), valueOf(other, key)];
  // who has no value comes last, whichever way
  if (isMissing(a) || isMissing(b)) return isMissing(a) - isMissing(b);
  const order = typeof a === "string" ? a.localeCompare(b) : a - b;
  return (descending ? -order : order) || (one.overall_rank ?? Infinity) - (other.overall_rank ?? Infinity) || 0;
};

const selectedRows = () => {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  return data.wallets
    .filter((wallet) => {
      const text = [wallet.address, wallet.tier, wallet.former ? "former" : "", `grade ${wallet.grade}`,
        ...wallet.flags.map((flag) => flag.flag)].join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    })
    .filter((wallet) => !byId("graded").checked || ["A", "B"].includes(wallet.grade))
    .filter((wallet) => !byId("unflagged").checked || !wallet.flags.length)
    .sort(compareValues(board.sort, board.descending));
};

const sortBy = (key) => {
  board.descending = board.sort === key ? !board.descending : !FROM_SMALL.has(key);
  board.sort = key;
  showBoard();
};

const headCell = (column) => {
  const order = board.sort === column.key ? (board.descending ? "descending" : "ascending") : "none";
  const button = element("button", { type: "button", title: column.hint, "data-key": column.key, onclick: () => {
    sortBy(column.key);
    byId("board").querySelector(`th button[data-key="${column.key}"]`).focus();
  } }, column.label);
  return element("th", { scope: "col", "aria-sort": order, class: NUMBERS.has(column.kind) ? "n" : null }, button);
};

const WIDE = new Set(["rank", "wallet", "flags"]);
const bodyRow = (wallet) =>
  element("tr", { "data-wallet": wallet.address, class: [wallet.former ? "former" : "", wallet.address === chosen ? "chosen" : ""].join(" ").trim() },
    ...shownColumns().map((column) =>
      element("td", {
        class: [NUMBERS.has(column.kind) ? "n" : "", WIDE.has(column.kind) ? `wide ${column.kind}` : ""].join(" ").trim(),
        "data-label": column.label, "data-key": column.key,
      }, CELLS[column.kind](wallet, column.key))));

// The page may hold the first wallets of the list alone.
const cutNote = () =>
  (data.listed_shown < data.listed ? `; ${count(data.listed_shown)} of ${count(data.listed)} listed ${data.listed_shown === 1 ? "is" : "are"} on this page` : "");

const showBoard = () => {
  board.rows = selectedRows();
  byId("board").tHead.replaceChildren(element("tr", {}, ...shownColumns().map(headCell)));
  byId("board").tBodies[0].replaceChildren(...board.rows.map(bodyRow));
  byId("count").textContent = `${board.rows.length} of ${data.wallets.length} shown${cutNote()}`;
  byId("sort").value = board.sort;
};

const saveFile = (name, kind, text) => {
  const link = element("a", { download: name, href: URL.createObjectURL(new Blob([text], { type: kind })) });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};

// What a spreadsheet would take for a formula begins with one of these; a figure may be negative.
const csvCell = (value) => {
  const text = isMissing(value) ? "" : String(value);
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

const flatRow = (wallet) =>
  Object.fromEntries(data.columns.filter(({ kind }) => kind !== "spark").map(({ key, kind }) =>
    [key, kind === "flags" ? wallet.flags.map(({ flag }) => flag).join(", ") : wallet[key]]));

const saveCsv = () => {
  const rows = board.rows.map(flatRow);
  const keys = data.columns.filter(({ kind }) => kind !== "spark").map(({ key }) => key);
  const lines = [keys.concat("made_up"), ...rows.map((row) => [...keys.map((key) => row[key]), data.made_up])];
  saveFile("smart-trader.csv", "text/csv", `${lines.map((line) => line.map(csvCell).join(",")).join("\n")}\n`);
};
const saveJson = () =>
  saveFile("smart-trader.json", "application/json", JSON.stringify(board.rows.map((wallet) => ({ ...flatRow(wallet), made_up: data.made_up })), null, 1));

const prepareBoard = () => {
  for (const column of data.columns) {
    if (column.is_shown) board.shown.add(column.key);
    const box = element("input", { type: "checkbox", value: column.key, disabled: column.key === ALWAYS_SHOWN });
    box.checked = column.is_shown;
    box.addEventListener("change", () => {
      if (box.checked) board.shown.add(column.key); else board.shown.delete(column.key);
      showBoard();
    });
    byId("columns").append(element("label", { title: column.hint }, box, ` ${column.label}`));
    byId("sort").append(element("option", { value: column.key }, column.label));
  }
  for (const id of ["filter", "graded", "unflagged"]) byId(id).addEventListener("input", showBoard);
  byId("sort").addEventListener("change", () => { board.sort = ""; sortBy(byId("sort").value); });
  byId("csv").addEventListener("click", saveCsv);
  byId("json").addEventListener("click", saveJson);
  byId("chooser").addEventListener("keydown", (event) => {
    if (event.key === "Escape") { byId("chooser").open = false; byId("chooser").querySelector("summary").focus(); }
  });
};
