"use strict";
// Draws the figures of a page as bars, by uPlot. The same figures stand in a table below, for who does not see the chart.
const language = document.documentElement.dataset.language || "sv"; // Swedish writes days as ISO does
const asNumber = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
const asDay = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeZone: "UTC" });
const asShortDay = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", timeZone: "UTC" });
const DAY = 86400;

function barColour(place) {
  return place.classList.contains("rejected") ? "#b3420f" : "#2c6ca3";
}

function draw(place) {
  const { days, values } = JSON.parse(place.dataset.chart);
  const size = () => ({ width: place.clientWidth, height: place.clientHeight - 30 });
  const colour = barColour(place);
  const options = {
    ...size(),
    tzDate: (second) => uPlot.tzDate(new Date(second * 1000), "UTC"),
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { range: (_, least, most) => [least - DAY, most + DAY] },
      y: { range: (_, __, most) => [0, Math.max(most || 0, 1) * 1.05] },
    },
    axes: [
      { grid: { show: false }, space: 70, values: (_, marks) => marks.map((mark) => asShortDay.format(mark * 1000)), incrs: [1, 2, 7, 14, 28, 91, 182, 365].map((n) => n * DAY) },
      { size: 70, values: (_, marks) => marks.map((mark) => (Number.isInteger(mark) ? asNumber.format(mark) : "")) },
    ],
    series: [
      { label: "Business date", value: (_, second) => (second == null ? "–" : asDay.format(second * 1000)) },
      {
        label: place.dataset.name, stroke: colour, fill: colour, width: 0, points: { show: false },
        paths: uPlot.paths.bars({ size: [0.8, 24] }), value: (_, count) => (count == null ? "–" : asNumber.format(count)),
      },
    ],
  };
  const chart = new uPlot(options, [days, values], place);
  new ResizeObserver(() => chart.setSize(size())).observe(place);
}

document.querySelectorAll(".chart").forEach(draw);
