import { fileURLToPath } from 'node:url';
import { parsePayload } from './payload.js';
import { renderFeature } from './render.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

async function renderCode(payload: object): Promise<string> {
  const { feature, errors } = parsePayload(payload);
  if (feature === undefined) throw new Error(errors.join('\n'));
  const files = await renderFeature(feature, ROOT);
  return [...files]
    .filter(([path]) => path.startsWith('src/') && path.endsWith('.ts'))
    .map(([, content]) => content)
    .join('\n');
}

describe('renderFeature', () => {
  it('writes the path of a resource in one place', async () => {
    const code = await renderCode({
      feature: 'pet_profile',
      resource: true,
      path: '/pets',
      fields: { name: 'string' },
    });
    expect(code.match(/.*\/pets\b.*/g)).toEqual(["export const PATH = '/pets';"]);
  });
});
