// Draws the charts in the page's own colours, light or dark.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  function layoutOf(figure) {
    const style = getComputedStyle(document.documentElement), color = name => style.getPropertyValue(name).trim();
    const layout = structuredClone(figure.layout);
    Object.assign(layout, { paper_bgcolor: "transparent", plot_bgcolor: "transparent", autosize: true });
    layout.font = { family: style.fontFamily, size: 12, color: color("--soft") };
    layout.hoverlabel = { font: { family: style.fontFamily } };
    for (const name of Object.keys(layout).filter(key => /^[xy]axis/.test(key)))
      Object.assign(layout[name], { gridcolor: color("--line"), linecolor: color("--line"), zerolinecolor: color("--line") });
    for (const note of layout.annotations || []) note.font = { size: 13, color: color("--ink") };
    return layout;
  }
  const charts = [...document.querySelectorAll("[data-chart]")].map(place =>
    [place, JSON.parse(document.getElementById(place.dataset.chart).textContent)]);
  for (const [place, figure] of charts)
    Plotly.newPlot(place, figure.data, layoutOf(figure), { displayModeBar: false, responsive: true });
  dark.addEventListener("change", () => charts.forEach(([place, figure]) => Plotly.relayout(place, layoutOf(figure))));
})();
