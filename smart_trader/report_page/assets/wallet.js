// One wallet: why it is listed, what speaks against it, its figures and charts.
let chosen = data.wallets.length ? data.wallets[0].address : null;
const walletAt = (address) => data.wallets.find((wallet) => wallet.address === address);
const optionText = (wallet) => `${wallet.former ? "former" : `#${wallet.overall_rank}`} ${shorten(wallet.address)}`;
const CHART_TOKENS = 12;

const panel = (title, ...children) => element("figure", { class: "panel" }, element("figcaption", {}, title), ...children);
const chartPanel = (title, note = null) => {
  const host = element("div", { class: "chart" });
  return [panel(title, host, note && element("p", { class: "note" }, note)), host];
};

const plainTable = (heads, rows) =>
  element("div", { class: "scroll" }, element("table", { class: "plain" },
    element("thead", {}, element("tr", {}, ...heads.map(([label, isNumber]) => element("th", { class: isNumber ? "n" : null, scope: "col" }, label)))),
    element("tbody", {}, ...rows.map((cells) =>
      element("tr", {}, ...cells.map((cell, index) => element("td", { class: heads[index][1] ? "n" : null }, ...cellParts(cell))))))));

const signed = (value) => element("span", { class: sign(value) }, money(value));

const reasons = (title, lines, none) =>
  element("div", { class: "panel" }, element("h3", {}, title),
    lines.length ? element("ul", {}, ...lines.map((line) => element("li", {}, ...wholeDates(wholePercents(line))))) : element("p", { class: "note" }, none));

const facts = (wallet) =>
  element("dl", { class: "facts" }, ...[
    ["total PnL, USD", "total_pnl", signed(wallet.total_pnl)],
    ["realized, USD", "realized_pnl", signed(wallet.realized_pnl)],
    ["open positions less cost, USD", "unrealized_pnl", signed(wallet.unrealized_pnl)],
    ["ROI", "roi", percent(wallet.roi)],
    ["wins by sells", "win_rate", percent(wallet.win_rate)],
    ["wins by tokens", "wins_by_token", percent(wallet.wins_by_token)],
    ["profit factor", "profit_factor", factor(wallet)],
    ["skill exceeds, with 95 %", "skill_low", signedShare(wallet.skill_low)],
    ["positions measured", "position_count", count(wallet.position_count)],
    ["largest drawdown, USD", "drawdown", money(wallet.drawdown)],
    ["median holding", "median_hours", duration(wallet.median_hours)],
    ["mean holding", "avg_holding_time_hours", duration(wallet.avg_holding_time_hours)],
    ["trades", "trade_count", count(wallet.trade_count)],
    ["bought, USD", "total_bought", money(wallet.total_bought)],
    ["sold, USD", "total_sold", money(wallet.total_sold)],
    ["coverage: proceeds with known cost", "basis_coverage", portion(wallet.basis_coverage)],
    ["unmatched proceeds, USD", "unmatched_usd", money(wallet.unmatched_usd)],
    ["first trade", "first_transaction", stamp(wallet.first_transaction)],
    ["last trade", "last_transaction", stamp(wallet.last_transaction)],
    ["calculated", "calculation_date", stamp(wallet.calculation_date)],
  ].map(([label, key, value]) => element("div", {}, element("dt", {}, label), element("dd", { "data-key": key }, ...cellParts(value)))));

const openAtMark = ({ open }) =>
  `${counted(open.count, "open position")} at ${open.count === 1 ? "its" : "their"} mark of ${money(open.value)} USD`;

const equityRows = (wallet) => {
  if (!wallet.curve.length) return [];
  const rows = wallet.curve.map(([time, value]) => ({ time: time * 1000, value, kind: "realized", label: "realized" }));
  if (wallet.open.count) {
    const [time, value] = wallet.curve.at(-1);
    rows.push({ time: time * 1000, value, kind: "open", label: "" });
    rows.push({
      time: Date.parse(wallet.calculation_date), value: wallet.total_pnl, kind: "open",
      label: `with ${openAtMark(wallet)}, cost ${money(wallet.open.cost)}`,
    });
  }
  return rows;
};

// The largest profits and losses; the rest is one bar, so that the bars add up to the wallet's profit.
const tokenRows = (wallet) => {
  const bySize = [...wallet.tokens].sort((one, other) => Math.abs(other.profit) - Math.abs(one.profit));
  const largest = new Set(bySize.slice(0, CHART_TOKENS));
  const rows = wallet.tokens.filter((row) => largest.has(row)).map((row) => ({
    key: `${row.symbol || shorten(row.token)}\n${row.token}`, name: tokenName(row), profit: row.profit, trades: row.trades,
  }));
  const others = bySize.slice(CHART_TOKENS);
  const number = others.length + wallet.other_tokens.count;
  if (number) {
    const profit = others.reduce((sum, row) => sum + row.profit, wallet.other_tokens.profit);
    rows.push({ key: `${counted(number, "other")}\n`, name: counted(number, "other token"), profit, trades: others.reduce((sum, row) => sum + row.trades, 0) });
  }
  return rows.map((row) => ({ ...row, sign: row.profit < 0 ? "loss" : "gain" }));
};

const tokenTable = (wallet) => {
  const rows = wallet.tokens.map((row) => [
    tokenCell(row), signed(row.profit), signed(row.realized), money(row.open_value),
    row.cost > 0 ? signedShare(row.profit / row.cost) : NONE, count(row.trades), duration(row.hours), money(row.unmatched), stamp(row.last)]);
  if (wallet.other_tokens.count) {
    rows.push([counted(wallet.other_tokens.count, "other token"), signed(wallet.other_tokens.profit), "", "", "", "", "", "", ""]);
  }
  return plainTable([["token"], ["profit $", 1], ["realized $", 1], ["open mark $", 1], ["return", 1], ["trades", 1], ["median hold", 1], ["unmatched $", 1], ["last trade", 1]], rows);
};

const tradeTable = (wallet) =>
  plainTable([["time"], ["side"], ["token"], ["tokens", 1], ["USD", 1], ["profit $", 1], ["transaction"]],
    wallet.trades.map((trade) => [
      stamp(trade.time), trade.side, tokenCell(trade),
      isMissing(trade.quantity) ? NONE : trade.quantity.toLocaleString("en-US", { maximumSignificantDigits: 6 }),
      money(trade.value), trade.side === "sell" ? signed(trade.profit) : "",
      outward("Solscan", `https://solscan.io/tx/${encodeURIComponent(trade.tx)}`, `Transaction ${shorten(trade.tx)} on Solscan`)]));

const historyTable = (wallet) =>
  plainTable([["scored"], ["listed"], ["tier"], ["grade"], ["skill_low", 1], ["realized $", 1]],
    wallet.history.map((row) => [
      stamp(row.scored_at), row.is_listed ? "yes" : row.is_flagged ? "no, flagged" : "no", row.tier || NONE, row.grade || NONE,
      signedShare(row.skill_low), signed(row.realized_pnl)]));

const pastTitle = ({ history, history_count: all }) =>
  (history.length < all ? `Past verdicts, the last ${history.length} of ${count(all)}` : "Past verdicts");

const ageLine = (wallet) => {
  const age = hoursBetween(wallet.calculation_date, new Date());
  return `Calculated ${stamp(wallet.calculation_date)}, ${duration(Math.max(0, age))} ago; its last trade known is of ${stamp(wallet.last_transaction)}.`;
};

const showWallet = async () => {
  const wallet = walletAt(chosen);
  const body = byId("wallet-body");
  if (!wallet) {
    body.replaceChildren(element("p", { class: "note" }, "Nobody is listed."));
    return;
  }
  const [equity, equityHost] = chartPanel("Realized profit, USD", wallet.open.count
    ? `Dashed: with the ${openAtMark(wallet)} (cost ${money(wallet.open.cost)}).`
    : "It has no open position.");
  const [tokens, tokensHost] = chartPanel("Profit by token, USD, realized and open");
  const [returns, returnsHost] = chartPanel("Returns of its tokens");
  const [holdings, holdingsHost] = chartPanel("Holding times");
  body.replaceChildren(...[
    element("p", {}, element("strong", { class: "address", id: "wallet-address" }, wallet.address), " ", copyButton(wallet.address), explorerLinks(wallet.address)),
    element("p", {}, wallet.former ? `Former: ${wallet.former_reason}. ` : `Rank ${wallet.overall_rank}, `,
      CELLS.tier(wallet, "tier"), wallet.uncapped_tier && wallet.uncapped_tier !== wallet.tier ? ` (by size ${wallet.uncapped_tier})` : "",
      ", grade ", CELLS.grade(wallet), " ", ...wallet.flags.map(flagChip)),
    element("p", { class: "note" }, ...wholeDates(ageLine(wallet))),
    element("div", { class: "reasons" }, reasons("What speaks for it", wallet.for, "Nothing."),
      reasons("What speaks against it", wallet.against, "Nothing that its swaps show.")),
    wallet.fault ? element("p", { class: "banner", role: "alert" }, wallet.fault) : null,
    facts(wallet),
    element("div", { class: "charts" }, equity, tokens, returns, holdings),
    element("h3", {}, "Its tokens"), tokenTable(wallet),
    element("h3", {}, `Its last ${counted(wallet.trades.length, "trade")}`), tradeTable(wallet),
    element("h3", {}, pastTitle(wallet)), wallet.history.length ? historyTable(wallet) : element("p", { class: "note" }, "None is kept.")].filter(Boolean));
  await Promise.all([
    plot(equityHost, "equity", equityRows(wallet)), plot(tokensHost, "tokens", tokenRows(wallet)),
    plot(returnsHost, "returns", wallet.returns), plot(holdingsHost, "holdings", wallet.holdings)]);
};

const choose = (address, isMoving = false) => {
  chosen = address;
  byId("chosen").value = address;
  for (const row of byId("board").tBodies[0].rows) row.classList.toggle("chosen", row.dataset.wallet === address);
  if (isMoving) {
    byId("wallet").scrollIntoView({ block: "start" });
    byId("chosen").focus({ preventScroll: true });
  }
  return showWallet();
};

const stepBy = (step) => {
  const at = data.wallets.findIndex((wallet) => wallet.address === chosen);
  choose(data.wallets[(at + step + data.wallets.length) % data.wallets.length].address);
};

const prepareWallet = () => {
  for (const wallet of data.wallets) byId("chosen").append(element("option", { value: wallet.address }, optionText(wallet)));
  byId("chosen").addEventListener("change", () => choose(byId("chosen").value));
  byId("previous").addEventListener("click", () => stepBy(-1));
  byId("next").addEventListener("click", () => stepBy(1));
};
