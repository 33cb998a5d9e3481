// Writes values; the template has the same in formats.py.
const NONE = "–";
const places = (value, count) =>
  value.toLocaleString("en-US", { minimumFractionDigits: count, maximumFractionDigits: count });
const isMissing = (value) => value === null || value === undefined;

const money = (value) => (isMissing(value) ? NONE : places(value, Math.abs(value) >= 1000 ? 0 : 2));
const signedShare = (value) => (isMissing(value) ? NONE : `${value >= 0 ? "+" : ""}${places(100 * value, 1)} %`);
const percent = (value) => (isMissing(value) ? NONE : `${places(value, 1)} %`);
const portion = (value) => (isMissing(value) ? NONE : `${places(100 * value, 1)} %`);
const count = (value) => (isMissing(value) ? NONE : places(value, 0));
const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
const ratio = (value) => (isMissing(value) ? NONE : places(value, 2));
const stamp = (value) => {
  if (isMissing(value)) return NONE;
  const at = new Date(typeof value === "number" ? value * 1000 : value);
  return `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
};

const duration = (hours) => {
  if (isMissing(hours)) return NONE;
  if (hours < 1 / 60) return `${places(3600 * hours, 0)} s`;
  if (hours < 1) return `${places(60 * hours, 0)} min`;
  return hours < 48 ? `${places(hours, 1)} h` : `${places(hours / 24, 1)} d`;
};

const hoursBetween = (earlier, later) => (new Date(later) - new Date(earlier)) / 3600000;
const sign = (value) => (isMissing(value) || value === 0 ? "" : value > 0 ? "gain" : "loss");
