// Two wallets side by side: their curves, their figures, the tokens that both traded.
const COMPARED = ["tier", "grade", "skill_low", "total_pnl", "roi", "win_rate", "wins_by_token", "profit_factor", "best_share",
  "drawdown", "median_hours", "trade_count", "basis_coverage", "last_transaction", "flags"];

const curveRows = (wallet) =>
  wallet.curve.map(([time, value]) => ({ time: time * 1000, value, wallet: optionText(wallet) }));

// The page lists every token that several of its wallets traded.
const commonTokens = (one, other) => {
  const known = new Map(data.shared[other.address]);
  return (data.shared[one.address] || []).filter(([index]) => known.has(index))
    .map(([index, profit]) => [data.tokens[index], profit, known.get(index)]);
};

const showComparison = async () => {
  const [one, other] = [walletAt(byId("first").value), walletAt(byId("second").value)];
  const body = byId("compare-body");
  if (!one || !other || one === other) {
    body.replaceChildren(element("p", { class: "note" }, "Choose two wallets of the list."));
    return;
  }
  const [curves, host] = chartPanel("Realized profit, USD");
  const columns = COMPARED.map((key) => data.columns.find((column) => column.key === key));
  const common = commonTokens(one, other);
  body.replaceChildren(
    curves,
    plainTable([["figure"], [optionText(one), 1], [optionText(other), 1]],
      columns.map((column) => [element("span", { title: column.hint }, column.label), CELLS[column.kind](one, column.key), CELLS[column.kind](other, column.key)])),
    element("h3", {}, `Tokens in common: ${common.length}`),
    element("p", { class: "note" }, "Wallets that share many tokens may be one person's, or follow each other."),
    common.length
      ? plainTable([["token"], [`profit $, ${optionText(one)}`, 1], [`profit $, ${optionText(other)}`, 1]],
        common.map(([token, mine, theirs]) => [tokenCell(token), signed(mine), signed(theirs)]))
      : element("p", { class: "note" }, "None."));
  await plot(host, "compare", [...curveRows(one), ...curveRows(other)]);
};

const prepareComparison = () => {
  for (const id of ["first", "second"]) {
    for (const wallet of data.wallets) byId(id).append(element("option", { value: wallet.address }, optionText(wallet)));
    byId(id).addEventListener("change", showComparison);
  }
  if (data.wallets.length > 1) byId("second").value = data.wallets[1].address;
};
