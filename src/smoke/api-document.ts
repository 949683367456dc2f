import { runInNewContext } from 'node:vm';
import type {
  OpenAPIObject,
  OperationObject,
  ParameterObject,
  PathItemObject,
  RequestBodyObject,
  ResponseObject,
} from '@nestjs/swagger';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** What an operation's `x-smoke-test` says: that it is safe to call, and what else its answer proves. */
export interface SmokeTest {
  /** The field of the answer in which each of these fields of the body comes back unchanged. */
  echo?: Record<string, string>;
  /** The field of the answer that holds the time of the answer. */
  now?: string;
  /** Each call leaves one record in the log, which has these fields. */
  logs?: Record<string, unknown>;
}

/** An operation of a document. */
export interface Operation {
  method: string;
  path: string;
  /** The path with the documented examples of its parameters; undefined where one has none. */
  target?: string;
  tags: string[];
  /** The documented example of its JSON body; undefined where it takes none. */
  example?: unknown;
  /** By status. */
  responses: Record<string, Response>;
  isSafe: boolean;
  smokeTest: SmokeTest;
}

/** An answer, as it is documented. */
export interface Response {
  /** The schemas' places in the document by content type. */
  schemas: Record<string, string>;
  /** The names of its headers. */
  headers: string[];
}

/** What was fetched is not an OpenAPI document. The message says what was expected. */
export class BrokenDocument extends Error {}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

/** A schema that takes longer to be applied was not written in good faith. In milliseconds. */
const LIMIT_MS = 2000;

/** A document of more operations, or of longer paths and examples, was not either. */
const MOST_OPERATIONS = 1000;
const LONGEST_TEXT = 500;
const LONGEST_EXAMPLE = 100_000;

/** The OpenAPI document of a target. */
export class ApiDocument {
  readonly operations: Operation[];
  private readonly ajv = new Ajv2020({ strict: false, logger: false });
  private readonly document: OpenAPIObject;

  /**
   * @param text JSON, as it was fetched
   * @throws BrokenDocument
   */
  constructor(text: string) {
    this.document = parse(text);
    addFormats.default(this.ajv);
    try {
      within(LIMIT_MS, () => this.ajv.addSchema(this.document, 'document'));
      this.operations = Object.entries(this.document.paths).flatMap(([path, item]) =>
        METHODS.flatMap((method) => (item[method] ? [this.read(path, method, item)] : [])),
      );
    } catch (error) {
      if (error instanceof BrokenDocument) throw error;
      throw new BrokenDocument(`expected an OpenAPI 3.1 document, found ${String(error)}`);
    }
    if (this.operations.length > MOST_OPERATIONS) {
      throw new BrokenDocument(
        `expected at most ${MOST_OPERATIONS} operations, found ${this.operations.length}`,
      );
    }
    if (this.operations.length === 0) {
      throw new BrokenDocument('expected operations in the OpenAPI document, found none');
    }
  }

  /**
   * What a body breaks of a schema, in words.
   *
   * @param place where the schema is in the document
   */
  faultsOf(body: unknown, place: string): string[] {
    try {
      const errors = within(LIMIT_MS, () => {
        const validate = this.ajv.compile({ $ref: `document#${encodeURI(place)}` });
        return validate(body) ? [] : (validate.errors ?? []);
      });
      // One is enough to tell, and a few more for what could have been otherwise.
      return errors.slice(0, 5).map(({ instancePath, message = '', params }) => {
        const values = (params.allowedValues ?? params.allowedValue) as unknown;
        const which = values === undefined ? '' : `: ${JSON.stringify(values)}`;
        const where = instancePath || 'it';
        return `expected the body to be as documented, found that ${where} ${message}${which}`;
      });
    } catch (error) {
      return [`expected a schema of the body that can be applied, found ${String(error)}`];
    }
  }

  private read(path: string, method: (typeof METHODS)[number], item: PathItemObject): Operation {
    const documented = item[method] as OperationObject & {
      'x-smoke-test'?: SmokeTest | boolean | null;
    };
    // It is put behind the address: nothing but what is below that may become of it.
    if (!/^\/[\x21-\x7e]*$/.test(path) || path.length > LONGEST_TEXT) {
      throw new BrokenDocument(`expected a path that begins with /, found ${path}`);
    }
    const parameters = [...(item.parameters ?? []), ...(documented.parameters ?? [])].map(
      (parameter) => this.follow(parameter).node as ParameterObject,
    );
    const place = `/paths/${escape(path)}/${method}`;
    const body = documented.requestBody && this.follow(documented.requestBody).node;
    const mark = documented['x-smoke-test'];
    const name = `${method.toUpperCase()} ${path}`;
    if (mark === null || !['undefined', 'boolean', 'object'].includes(typeof mark)) {
      throw new BrokenDocument(`expected x-smoke-test of ${name} to be true, false or an object`);
    }
    const target = targetOf(path, parameters);
    if (mark && target === undefined) {
      throw new BrokenDocument(`expected an example of each parameter that ${name} requires`);
    }
    if (target !== undefined && /(^|\/)(\.|%2e){1,2}([/?]|$)/i.test(target)) {
      throw new BrokenDocument(`expected a path without . and .., found ${target}`);
    }
    const example = body && exampleOf(body as RequestBodyObject);
    if (JSON.stringify(example ?? null).length > LONGEST_EXAMPLE) {
      throw new BrokenDocument(`expected an example of at most 100 kB of the body of ${name}`);
    }
    const isPlain = method === 'get' && !parameters.some(({ required }) => required);
    return {
      method: method.toUpperCase(),
      path,
      target,
      tags: [documented.tags ?? []]
        .flat()
        .map((tag: unknown) => String(tag).slice(0, LONGEST_TEXT)),
      example,
      responses: Object.fromEntries(
        Object.entries(documented.responses).map(([status, response]) => [
          status,
          this.readResponse(response as ResponseObject, `${place}/responses/${status}`),
        ]),
      ),
      isSafe: mark !== false && target !== undefined && (mark !== undefined || isPlain),
      smokeTest: typeof mark === 'object' ? mark : {},
    };
  }

  private readResponse(response: ResponseObject, at: string): Response {
    const { node, place } = this.follow(response, at);
    const { content = {}, headers = {} } = node as ResponseObject;
    const types = Object.entries(content).filter(([, { schema }]) => schema);
    return {
      schemas: Object.fromEntries(
        types.map(([type]) => [type, `${place}/content/${escape(type)}/schema`]),
      ),
      headers: Object.keys(headers).map((name) => name.toLowerCase()),
    };
  }

  /** What a reference leads to, and where that is; anything else as it is. */
  private follow(node: object, place = ''): { node: object; place: string } {
    const { $ref } = node as { $ref?: string };
    if ($ref === undefined) return { node, place };
    const keys = $ref.replace(/^#/, '').split('/').slice(1).map(unescape);
    const found = keys.reduce<unknown>(
      (inside, key) => (inside as Record<string, unknown> | undefined)?.[key],
      this.document,
    );
    if (typeof found !== 'object' || found === null || '$ref' in found) {
      throw new BrokenDocument(`expected what ${$ref} refers to, found none`);
    }
    return { node: found, place: keys.map((key) => `/${escape(key)}`).join('') };
  }
}

function parse(text: string): OpenAPIObject {
  let document: Partial<OpenAPIObject> | null;
  try {
    document = JSON.parse(text) as Partial<OpenAPIObject> | null;
  } catch {
    throw new BrokenDocument(`expected an OpenAPI 3.1 document, found no JSON: ${text}`);
  }
  const { openapi, paths } = document ?? {};
  if (!String(openapi).startsWith('3.1') || typeof paths !== 'object') {
    throw new BrokenDocument(`expected an OpenAPI 3.1 document, found ${text}`);
  }
  return document as OpenAPIObject;
}

function exampleOf({ content }: RequestBodyObject): unknown {
  const media = content['application/json'];
  if (!media) return undefined;
  const [first] = Object.values(media.examples ?? {}) as { value?: unknown }[];
  return media.example ?? first?.value ?? {};
}

function targetOf(path: string, parameters: ParameterObject[]): string | undefined {
  const needed = parameters.filter(({ required }) => required);
  // Where it may be: of the parameter, or of its schema.
  const exampleOf = ({ example, schema }: ParameterObject): unknown =>
    (example as unknown) ?? (schema as { example?: unknown } | undefined)?.example;
  if (needed.some((one) => exampleOf(one) === undefined || !['path', 'query'].includes(one.in))) {
    return undefined;
  }
  const textOf = (parameter: ParameterObject) => encodeURIComponent(String(exampleOf(parameter)));
  const filled = path.replace(/\{([^{}]*)\}/g, (braces, name: string) => {
    const parameter = needed.find((one) => one.in === 'path' && one.name === name);
    return parameter ? textOf(parameter) : braces;
  });
  if (filled.includes('{')) return undefined;
  const query = needed.filter((one) => one.in === 'query');
  const pairs = query.map((one) => `${encodeURIComponent(one.name)}=${textOf(one)}`);
  return pairs.length === 0 ? filled : `${filled}?${pairs.join('&')}`;
}

/** Calls a function, and stops it when it takes too long. */
function within<T>(timeout: number, call: () => T): T {
  return runInNewContext('call()', { call }, { timeout }) as T;
}

/** For JSON pointers. */
function escape(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

function unescape(key: string): string {
  return decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~');
}
