import { setImmediate } from 'node:timers/promises';
import type { OpenAPIObject } from '@nestjs/swagger';
import { dump } from 'js-yaml';

/**
 * Formats an OpenAPI document as YAML. Formats one path or schema in each iteration of the event loop, as
 * the whole document of 300 features takes 0.3 s.
 */
export async function formatYaml(document: OpenAPIObject): Promise<string> {
  const { paths, components, ...rest } = document;
  const { schemas, ...otherComponents } = components ?? {};
  return [
    format(rest),
    'paths:\n',
    ...(await formatEntries(paths, 2)),
    'components:\n',
    indent(format(otherComponents), 2),
    '  schemas:\n',
    ...(await formatEntries(schemas ?? {}, 4)),
  ].join('');
}

async function formatEntries(entries: object, spaces: number): Promise<string[]> {
  const texts: string[] = [];
  for (const [key, value] of Object.entries(entries)) {
    await setImmediate();
    texts.push(indent(format({ [key]: value as unknown }), spaces));
  }
  return texts;
}

function format(value: object): string {
  return dump(value, { skipInvalid: true, noRefs: true });
}

function indent(text: string, spaces: number): string {
  return text.replace(/^(?=.)/gm, ' '.repeat(spaces));
}
