const showAge = () => {
  const at = document.querySelector("header time").dateTime;
  if (!at) return;
  const hours = hoursBetween(at, new Date());
  byId("age").textContent = `(${duration(Math.max(0, hours))} old)`;
  byId("age").className = hours > 24 ? "warn" : "";
};

const start = async () => {
  prepareBoard();
  prepareWallet();
  prepareComparison();
  showBoard();
  showAge();
  setInterval(showAge, 60000);
  for (const button of document.querySelectorAll("[data-choose]")) {
    button.addEventListener("click", () => choose(button.dataset.choose, true));
  }
  const drawing = [choose(chosen), showComparison()];
  if (byId("chart-calibration")) {
    drawing.push(plot(byId("chart-calibration"), "calibration", data.calibration.points));
    drawing.push(plot(byId("chart-fifths"), "fifths",
      data.calibration.fifths.map((row) => ({ ...row, sign: row.return < 0 ? "loss" : "gain" }))));
  }
  await Promise.all(drawing);
  document.documentElement.dataset.ready = "yes";
};
start();
