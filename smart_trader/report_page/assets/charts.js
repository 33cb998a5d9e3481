// Draws the charts: no code is made of text (`ast`), and no data is fetched.
const styleOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const themed = (spec, rows) => {
  const colours = {
    gain: styleOf("--gain"), loss: styleOf("--loss"), line: styleOf("--chart-line"), other: styleOf("--chart-other"),
    faint: styleOf("--faint"),
  };
  const faint = colours.faint;
  const grid = styleOf("--line");
  return {
    ...spec,
    height: spec.usermeta ? 40 + spec.usermeta.row_height * rows.length : spec.height,
    data: { name: "rows", values: rows },
    params: spec.params.map(({ name }) => ({ name, value: colours[name] })),
    config: {
      font: "system-ui, sans-serif",
      axis: { labelColor: faint, titleColor: faint, gridColor: grid, domainColor: grid, tickColor: grid, titleFontWeight: "normal" },
      legend: { labelColor: styleOf("--text"), labelFont: "monospace" },
      view: { stroke: null },
      bar: { discreteBandSize: { band: 0.85 } },
    },
  };
};

const tip = byId("tip");
const showTip = (_, event, __, value) => {
  if (isMissing(value) || value === "") {
    tip.hidden = true;
    return;
  }
  const lines = typeof value === "object" ? Object.entries(value) : [["", value]];
  tip.replaceChildren(...lines.filter(([, text]) => text !== "").map(([name, text]) =>
    element("div", {}, name.trim() ? `${name}: ${text}` : String(text))));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, window.innerWidth - width - 8))}px`;
  tip.style.top = `${event.clientY + 16 + height > window.innerHeight ? event.clientY - height - 8 : event.clientY + 16}px`;
};

const plots = new Map();
const closed = { load: () => Promise.reject(new Error("nothing is loaded")), sanitize: () => Promise.reject(new Error("nothing is linked")) };

// A chart that is off the page, or is drawn anew, lets go of its listeners.
const dropPlots = (drawnAnew) => {
  for (const [host, { finalize }] of [...plots]) {
    if (host === drawnAnew || !host.isConnected) {
      finalize();
      plots.delete(host);
    }
  }
};

const plot = async (host, name, rows) => {
  dropPlots(host);
  host.replaceChildren();
  host.dataset.plotted = "";
  if (!rows.length) {
    host.append(element("p", { class: "note" }, "Nothing to draw."));
    host.dataset.plotted = name;
    return;
  }
  host.plotted = [name, rows];
  const drawnPlot = await vegaEmbed(host, themed(data.specs[name], rows), {
    mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false, tooltip: showTip, loader: closed,
  });
  plots.set(host, drawnPlot);
  host.dataset.plotted = name;
};

window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  dropPlots(null);
  for (const host of [...plots.keys()]) plot(host, ...host.plotted);
});
