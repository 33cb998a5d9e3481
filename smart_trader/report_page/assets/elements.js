// Makes elements. Text goes in as text alone: symbols are chosen by strangers.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
};

// A line does not break at the hyphens of a date.
const wholeDates = (text) =>
  text.split(/(\d{4}-\d{2}-\d{2})/).map((part, index) => (index % 2 ? element("span", { class: "date" }, part) : part));
const cellParts = (cell) => (typeof cell === "string" ? wholeDates(cell) : [cell]);

const drawn = (name, attributes, ...children) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

const shorten = (address) => (address.length <= 11 ? address : `${address.slice(0, 5)}…${address.slice(-4)}`);

const EXPLORERS = {
  Solscan: "https://solscan.io/account/",
  Birdeye: "https://birdeye.so/profile/",
  GMGN: "https://gmgn.ai/sol/address/",
};

const outward = (label, address, name) =>
  element("a", { href: address, rel: "noreferrer noopener", target: "_blank", "aria-label": name }, label);

const explorerLinks = (wallet) =>
  element(
    "span",
    { class: "links" },
    ...Object.entries(EXPLORERS).map(([name, begin]) =>
      outward(name, begin + encodeURIComponent(wallet), `${shorten(wallet)} on ${name}`)),
  );

// The clipboard is refused where the page is not trusted; what is selected can always be copied.
const copyText = async (text, button) => {
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = element("textarea", { readonly: true });
    field.value = text;
    document.body.append(field);
    field.select();
    done = document.execCommand("copy");
    field.remove();
  }
  const before = button.textContent;
  button.textContent = done ? "copied" : "failed";
  setTimeout(() => { button.textContent = before; }, 1200);
};

const copyButton = (text) => {
  const button = element("button", { type: "button", class: "copy", "aria-label": `Copy ${text}` }, "copy");
  button.addEventListener("click", () => copyText(text, button));
  return button;
};

// A sign of percent stays on the line of its number.
const wholePercents = (text) => text.replaceAll(" %", "\u00a0%");

// Two tokens may have one symbol, so the mint stands beside it.
const tokenName = (row) => (row.symbol ? `${row.symbol} ${shorten(row.token)}` : shorten(row.token));

const tokenCell = (row) =>
  row.symbol
    ? element("span", { title: row.token }, element("bdi", { class: "symbol" }, row.symbol), " ",
      element("span", { class: "mint" }, shorten(row.token)))
    : element("span", { class: "address", title: row.token }, shorten(row.token));

const flagChip = (flag) => element("span", { class: `flag ${flag.severity}`, title: flag.sentence }, flag.flag);
