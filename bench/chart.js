// The chart of the README: requests per second as a share of node:http.
import { peer, PETSAGE } from './peers.js';
import { percent, summariesOf } from './results.js';

const WIDTH = 800;
const ROW = 34;
const TOP = 104;
const BAR = 20;
const LABEL = 236;
const COLUMN = 270;
/** The length of a bar of 100 %: behind it there is room for the number. */
const FULL = 200;

/** The card has its own ground, so that it can be read wherever it is shown. */
const STYLE = `
  text { font: 14px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; fill: #24292f; }
  .card { fill: #ffffff; stroke: #d0d7de; }
  .title { font-size: 17px; font-weight: 600; }
  .quiet { fill: #57606a; }
  .bold { font-weight: 700; }
  .bar { fill: #a5b4c3; }
  .own { fill: #d9480f; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .card { fill: #161b22; stroke: #30363d; }
    .quiet { fill: #9198a1; }
    .bar { fill: #57677a; }
    .own { fill: #f76707; }
  }`;

/**
 * The chart as SVG: a row for each peer, a column for GET and one for POST.
 *
 * @param {import('./results.js').Run} run
 */
export function chartOf(run) {
  const rows = summariesOf(run)
    .flatMap(([name, { get, post }]) => (get && post ? [{ ...peer(name), name, get, post }] : []))
    .toSorted((a, b) => b.get.rate - a.get.rate);
  const height = TOP + rows.length * ROW + 44;
  const parts = rows.flatMap(({ name, label, get, post }, i) => {
    const y = TOP + i * ROW;
    const own = name === PETSAGE;
    return [
      text(LABEL - 12, y + 15, label, own ? 'bold' : '', 'end'),
      bar(LABEL, y, get.ratio.value, own),
      bar(LABEL + COLUMN, y, post.ratio.value, own),
    ];
  });
  const lacks = rows.some(({ get, post }) =>
    [get, post].some(({ ratio }) => ratio.value === undefined),
  );
  const { node } = run.versions;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Requests per second as a share of node:http">
<style>${STYLE}
</style>
<rect class="card" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
${text(24, 36, 'Requests per second, as a share of bare node:http', 'title')}
${text(24, 60, `Node ${node}, one core, ${run.settings.connections} connections. Longer is better.`, 'quiet')}
${text(LABEL, TOP - 12, 'GET liveness', 'bold')}
${text(LABEL + COLUMN, TOP - 12, 'POST, validated', 'bold')}
${parts.join('\n')}
${text(24, height - 18, `PetSage API: all on, as it ships. “+ headers”: with the headers that it sends.${lacks ? ' —: no ratio.' : ''}`, 'quiet')}
</svg>
`;
}

/**
 * @param {number} x
 * @param {number} y
 * @param {number | undefined} ratio
 * @param {boolean} own
 */
function bar(x, y, ratio, own) {
  const width = Math.min(ratio ?? 0, 1.2) * FULL;
  const label = text(
    x + width + 8,
    y + 15,
    ratio === undefined ? '—' : percent(ratio),
    own ? 'bold' : '',
  );
  return `<rect class="${own ? 'own' : 'bar'}" x="${x}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="3"/>\n${label}`;
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} content
 * @param {string} kind
 * @param {string} anchor
 */
function text(x, y, content, kind = '', anchor = 'start') {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text class="${kind}" x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}">${escaped}</text>`;
}
