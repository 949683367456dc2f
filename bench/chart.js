// The chart bench/results.svg.

/** @typedef {import('./results.js').LoadSummary} LoadSummary */

export const WIDTH = 800;
const TOP = 104;
const ROW_HEIGHT = 34;
const BAR_HEIGHT = 20;
const GET_X = 236;
const POST_X = 506;

/** The width of a bar of 100%. */
const FULL_BAR = 200;

/** The card has its own background, so that the text is readable on any page. */
const STYLE = `
  text { font: 14px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; fill: #24292f; }
  .card { fill: #ffffff; stroke: #d0d7de; }
  .title { font-size: 17px; font-weight: 600; }
  .quiet { fill: #57606a; }
  .bold { font-weight: 700; }
  .bar { fill: #a5b4c3; }
  .petsage { fill: #d9480f; }
  .line { fill: none; stroke: #8b9bab; stroke-width: 1.5; }
  .line.petsage { stroke: #d9480f; stroke-width: 3; }
  .grid { stroke: #d0d7de; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .card { fill: #161b22; stroke: #30363d; }
    .quiet { fill: #9198a1; }
    .bar { fill: #57677a; }
    .petsage { fill: #f76707; }
    .line.petsage { stroke: #f76707; }
    .grid { stroke: #30363d; }
  }`;

/**
 * Creates an SVG chart with one row per server, and a column each for GET and POST.
 *
 * @param {import('./results.js').Run} run
 */
export function createChart({ servers, settings, versions }) {
  const rows = servers.flatMap(({ name, label, get, post }) =>
    get && post ? [{ label, get, post, isPetsage: name === 'petsage' }] : [],
  );
  rows.sort((a, b) => b.get.requestsPerSecond.median - a.get.requestsPerSecond.median);
  const height = TOP + rows.length * ROW_HEIGHT + 44;
  const bars = rows.flatMap(({ label, get, post, isPetsage }, i) => {
    const y = TOP + i * ROW_HEIGHT;
    return [
      createText(GET_X - 12, y + 15, label, isPetsage ? 'bold' : '', 'end'),
      createBar(GET_X, y, get, isPetsage),
      createBar(POST_X, y, post, isPetsage),
    ];
  });
  return createCard(height, 'Requests per second, relative to node:http', [
    createText(
      24,
      60,
      `Node.js ${versions.node}, one core, ${settings.connections} connections. Longer is better.`,
      'quiet',
    ),
    createText(GET_X, TOP - 12, 'GET, liveness', 'bold'),
    createText(POST_X, TOP - 12, 'POST, validated', 'bold'),
    ...bars,
    createText(24, height - 18, '“+ headers”: sends the headers of PetSage API.', 'quiet'),
  ]);
}

/**
 * @param {number} height
 * @param {string} title
 * @param {string[]} content
 */
export function createCard(height, title, content) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${title}">
<style>${STYLE}
</style>
<rect class="card" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
${createText(24, 36, title, 'title')}
${content.join('\n')}
</svg>
`;
}

/**
 * @param {number} x
 * @param {number} y
 * @param {LoadSummary} load
 * @param {boolean} isPetsage
 */
function createBar(x, y, { ratioToNodeHttp: { median } }, isPetsage) {
  const width = Math.min(median ?? 0, 1.2) * FULL_BAR;
  const label = median === undefined ? '—' : `${Math.round(median * 100)}%`;
  return `<rect class="${isPetsage ? 'petsage' : 'bar'}" x="${x}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="3"/>
${createText(x + width + 8, y + 15, label, isPetsage ? 'bold' : '')}`;
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} content
 * @param {string} style
 * @param {'start' | 'middle' | 'end'} [anchor]
 */
export function createText(x, y, content, style, anchor = 'start') {
  return `<text class="${style}" x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}">${content}</text>`;
}
