// Live curves. The element holds its points as JSON (data-points) or an address (data-url):
// {"series": [{"label": "training loss", "points": [[step, value], ...]}], "live": true}
const charts = new Map();
let library;

function loadLibrary(address) {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => resolve(window.uPlot);
    script.onerror = () => reject(new Error(`${address} did not load`));
    document.head.append(script);
  });
  return library;
}

/** One column of steps, one column a series; null where a series has no point. */
function align(series) {
  const steps = [...new Set(series.flatMap(({ points }) => points.map(([step]) => step)))];
  steps.sort((a, b) => a - b);
  const columns = series.map(({ points }) => {
    const known = new Map(points);
    return steps.map((step) => known.get(step) ?? null);
  });
  return [steps, ...columns];
}

function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function options(element, series) {
  const looks = [["--accent", []], ["--wait", [6, 4]], ["--run", [2, 3]], ["--muted", []]];
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = {
    stroke: colour("--muted"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    font,
  };
  return {
    width: Math.max(240, element.clientWidth - 2 * parseFloat(getComputedStyle(element).paddingLeft)),
    height: element.clientWidth < 520 ? 190 : 240,
    scales: { x: { time: false } },
    legend: { show: false },
    cursor: { points: { size: 7 }, drag: { x: true, y: false } },
    axes: [{ ...axis, size: 34 }, { ...axis, size: 48 }],
    series: [
      {},
      ...series.map(({ label, points }, index) => {
        const [stroke, dash] = looks[Math.min(index, looks.length - 1)];
        return { label, stroke: colour(stroke), width: 2, dash, spanGaps: true, points: { show: points.length < 30, size: 5 } };
      }),
    ],
    hooks: { setCursor: [(plot) => tell(element, plot, series)] },
  };
}

/** The values under the pointer, or the last ones, in the legend's words. */
function tell(element, plot, series) {
  const legend = document.getElementById(element.dataset.legend);
  if (!legend) return;
  series.forEach(({ label }, index) => {
    const values = plot.data[index + 1];
    const at = plot.cursor.idx ?? values.findLastIndex((value) => value !== null);
    if (values[at] != null) legendValue(legend, index, label).textContent = values[at].toPrecision(4);
  });
}

/** The place of one curve's value; a curve that began after the page gets its line here. */
function legendValue(legend, index, label) {
  if (!legend.children[index]) {
    const line = document.createElement("li");
    const value = document.createElement("b");
    value.className = "num";
    line.append(`${label} `, value);
    legend.append(line);
  }
  return legend.children[index].querySelector("b");
}

async function draw(element, data) {
  const Plot = await loadLibrary(element.dataset.library);
  charts.get(element)?.plot?.destroy();
  const drawn = data.series.filter(({ points }) => points.length);
  element.hidden = drawn.length === 0;
  const plot = drawn.length ? new Plot(options(element, drawn), align(drawn), element) : null;
  if (plot) tell(element, plot, drawn);
  charts.set(element, { plot, data, width: element.clientWidth });
}

async function follow(element) {
  if (!element.isConnected) return;
  if (!document.hidden) {
    const response = await fetch(element.dataset.url, { headers: { Accept: "application/json" } });
    if (!response.ok) return;
    const data = await response.json();
    await draw(element, data);
    if (!data.live) return;
  }
  setTimeout(() => follow(element).catch(() => {}), 3000);
}

function start() {
  for (const [element, { plot }] of charts) {
    if (!element.isConnected) {
      plot?.destroy();
      charts.delete(element);
    }
  }
  for (const element of document.querySelectorAll("[data-loss-chart]")) {
    if (charts.has(element)) continue;
    charts.set(element, {});
    const begun = element.dataset.url
      ? follow(element)
      : draw(element, JSON.parse(element.dataset.points));
    begun.catch((fault) => console.warn("loss chart:", fault.message));
    sizes.observe(element);
  }
}

const redraw = () => {
  for (const [element, { data }] of charts) if (data) draw(element, data);
};
const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const chart = charts.get(target);
    if (chart?.data && chart.width !== target.clientWidth) draw(target, chart.data);
  }
});

start();
document.addEventListener("htmx:afterSettle", start);
document.addEventListener("themechange", redraw);
