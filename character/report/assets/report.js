"use strict";
// Draws every chart of the page with the colours of the page, and again when the page turns light or dark.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const drawn = [];

  function theme(width) {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue("--" + name).trim();
    const text = of("text"), quiet = of("quiet"), font = of("font");
    const words = { labelFont: font, titleFont: font, labelColor: text, titleColor: quiet };
    return {
      background: null,
      font,
      padding: 2,
      view: { stroke: null },
      mark: { color: of("group-1"), tooltip: { content: "data" } },
      rule: { color: of("strong") },
      text: { color: of("strong"), font },
      style: {
        inside: { fill: of("strong"), fontSize: 11 },
      },
      axis: {
        ...words, domainColor: of("line"), tickColor: of("line"), gridColor: of("grid"),
        labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelOverlap: true,
      },
      axisY: { labelLimit: Math.max(90, width * 0.36), grid: false },
      axisX: { labelLimit: 120 },
      legend: { ...words, labelFontSize: 12, labelLimit: 220, symbolType: "square", symbolOpacity: 1 },
      range: {
        category: [1, 2, 3, 4, 5, 6].map((i) => of("group-" + i)),
        ordinal: [1, 2, 3, 4, 5].map((i) => of("step-" + i)),
        heatmap: [of("heat-low"), of("heat-high")],
        diverging: [of("side-low"), of("side-middle"), of("side-high")],
      },
    };
  }

  async function draw(figure) {
    const place = figure.querySelector(".chart");
    const spec = JSON.parse(figure.querySelector("script").textContent);
    place.style.minWidth = place.dataset.minWidth + "px";
    try {
      // ast: expressions are interpreted, so that the page needs no right to make code from text.
      const result = await window.vegaEmbed(place, spec, {
        mode: "vega-lite", renderer: "svg", ast: true, actions: false, defaultStyle: false,
        config: theme(place.clientWidth), tooltip: { disableDefaultStyle: true },
      });
      drawn.push(result);
      figure.dataset.drawn = "yes";
    } catch (error) {
      place.textContent = figure.dataset.failed;
      place.classList.add("failed");
      figure.querySelector("details").open = true;
      console.error(error);
    }
  }

  async function drawAll() {
    while (drawn.length) drawn.pop().finalize();
    for (const figure of document.querySelectorAll("figure")) await draw(figure);
    document.documentElement.dataset.charts = "done";
  }

  dark.addEventListener("change", drawAll);
  drawAll();
})();
