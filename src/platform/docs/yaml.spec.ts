import type { OpenAPIObject } from '@nestjs/swagger';
import { load } from 'js-yaml';
import { formatYaml } from './yaml.js';

describe('formatYaml', () => {
  it('formats texts so that they are read unchanged', async () => {
    const texts = ['  indented\n\n line', 'a: b # c', '- x\n', '"\t', '#', '\n', 'a'.repeat(200)];
    const document: OpenAPIObject = {
      openapi: '3.1.0',
      info: { title: 'Pets', version: '1.0.0', description: texts.join('') },
      paths: Object.fromEntries(texts.map((text) => [text, { description: text }])),
      components: {
        schemas: Object.fromEntries(texts.map((text) => [text, { type: 'string', enum: texts }])),
        headers: { 'X-Request-Id': { description: texts.join(''), schema: { enum: texts } } },
      },
    };
    expect(load(await formatYaml(document))).toEqual(document);
  });
});
