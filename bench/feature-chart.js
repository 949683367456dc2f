// The chart bench/features.svg.
import { createCard, createText, WIDTH } from './chart.js';
import { groupByServer } from './tables.js';

/** @typedef {import('./results.js').FeatureRun} FeatureRun */
/** @typedef {{ label: string, isPetsage: boolean, points: { features: number, rate: number }[] }} Line */

const LEFT = 84;
const RIGHT = WIDTH - 150;
const TOP = 112;
const PLOT_HEIGHT = 240;
const PLOT_DISTANCE = 320;
const LABEL_HEIGHT = 16;

/**
 * Creates an SVG chart with one line per server, and a plot each for GET and POST.
 *
 * @param {FeatureRun} run
 */
export function createFeatureChart(run) {
  const height = TOP + PLOT_DISTANCE + PLOT_HEIGHT + 56;
  return createCard(height, 'Requests per second by number of features', [
    createText(
      24,
      60,
      `Node.js ${run.versions.node}, one core, ${run.settings.connections} connections. Requests go to the last feature.`,
      'quiet',
    ),
    createText(LEFT, TOP - 12, 'GET', 'bold'),
    ...createPlot(TOP, getLines(run, 'get')),
    createText(LEFT, TOP + PLOT_DISTANCE - 12, 'POST, validated', 'bold'),
    ...createPlot(TOP + PLOT_DISTANCE, getLines(run, 'post')),
  ]);
}

/**
 * @param {FeatureRun} run
 * @param {'get' | 'post'} request
 * @returns {Line[]}
 */
function getLines(run, request) {
  return groupByServer(run).map((group) => ({
    label: group[0].label,
    isPetsage: group[0].name === 'petsage',
    points: group.map(({ features, loads }) => ({
      features,
      rate: loads[request]?.requestsPerSecond.median ?? 0,
    })),
  }));
}

/**
 * @param {number} top
 * @param {Line[]} lines
 */
function createPlot(top, lines) {
  const points = lines.flatMap((line) => line.points);
  const counts = [...new Set(points.map(({ features }) => features))];
  const highestCount = Math.max(...counts);
  const step = 10_000;
  const maximum = Math.ceil(Math.max(...points.map(({ rate }) => rate)) / step) * step;
  const bottom = top + PLOT_HEIGHT;
  /** @param {number} features */
  const getX = (features) => LEFT + (features / highestCount) * (RIGHT - LEFT);
  /** @param {number} rate */
  const getY = (rate) => bottom - (rate / maximum) * PLOT_HEIGHT;
  const rates = Array.from({ length: maximum / step + 1 }, (_, index) => index * step);
  const labelYs = spreadLabels(lines.map((line) => getY(line.points.at(-1)?.rate ?? 0)));
  return [
    ...rates.flatMap((rate) => [
      `<line class="grid" x1="${LEFT}" y1="${getY(rate)}" x2="${RIGHT}" y2="${getY(rate)}"/>`,
      createText(LEFT - 8, getY(rate) + 5, rate.toLocaleString('en'), 'quiet', 'end'),
    ]),
    ...counts.map((count) => createText(getX(count), bottom + 20, `${count}`, 'quiet', 'middle')),
    createText(RIGHT + 20, bottom + 20, 'features', 'quiet'),
    ...lines.flatMap(({ label, isPetsage, points }, index) => {
      const path = points.map(({ features, rate }) => `${getX(features)},${getY(rate).toFixed(1)}`);
      return [
        `<polyline class="line ${isPetsage ? 'petsage' : ''}" points="${path.join(' ')}"/>`,
        createText(RIGHT + 8, (labelYs[index] ?? 0) + 5, label, isPetsage ? 'bold' : ''),
      ];
    }),
  ];
}

/**
 * Moves labels down so that they do not overlap.
 *
 * @param {number[]} ys
 */
function spreadLabels(ys) {
  const spread = [...ys];
  let next = -Infinity;
  for (const index of ys.map((_, i) => i).sort((a, b) => (ys[a] ?? 0) - (ys[b] ?? 0))) {
    next = Math.max(ys[index] ?? 0, next + LABEL_HEIGHT);
    spread[index] = Math.round(next);
  }
  return spread;
}
