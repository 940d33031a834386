"use strict";
// Draws the figures in the colours of the style sheet, by day and by night.
(() => {
  const PRINTED = 680; // width of a figure on paper, in pixels
  const plots = [...document.querySelectorAll(".plot")];
  const contents = new Map(plots.map((plot) => [plot, JSON.parse(document.getElementById(`${plot.id}-figure`).textContent)]));
  const coarse = matchMedia("(pointer: coarse)").matches; // a finger is to scroll over a figure, not to zoom in it

  // The value with each `var(--name)` in it replaced by the colour that this is now.
  function coloured(value, style) {
    if (typeof value === "string") {
      const name = /^var\((--[\w-]+)\)$/.exec(value);
      return name ? style.getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((each) => coloured(each, style));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, coloured(each, style)]));
  }

  function laid(layout, style) {
    const [ink, rule, surface] = ["--ink", "--rule", "--surface"].map((name) => style.getPropertyValue(name).trim());
    const axis = (own) => ({ gridcolor: rule, zerolinecolor: rule, linecolor: rule, fixedrange: coarse, ...own });
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: Boolean(layout.legend),
      font: { family: style.fontFamily, size: 12, color: ink }, margin: { l: 56, r: 16, t: 16, b: 48 },
      hoverlabel: { bgcolor: surface, bordercolor: rule, font: { color: ink } }, dragmode: coarse ? false : "zoom",
      ...layout, xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis),
    };
  }

  function draw(width) {
    const style = getComputedStyle(document.body);
    for (const [plot, { data, layout }] of contents) {
      const wanted = laid(coloured(layout, style), style);
      Plotly.react(plot, coloured(data, style), width ? { ...wanted, width } : { ...wanted, autosize: true }, {
        responsive: true, displayModeBar: false,
      });
    }
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
  for (const [event, width] of [["beforeprint", PRINTED], ["afterprint", undefined]]) {
    addEventListener(event, () => {
      document.documentElement.classList.toggle("printed", Boolean(width)); // paper is white, by night too
      draw(width);
    });
  }
  draw();
})();
