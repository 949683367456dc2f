import { readFileSync } from 'node:fs';
import request from 'supertest';
import { createTestApp, type TestApp } from './fixtures/app.js';

interface RecordedResponse {
  status: number;
  allow: string | null;
  body: unknown;
}

/** A request and FastAPI's response to it. fastapi/record.py records them. */
interface Recording {
  name: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  /** In base64, because some bodies are not text. */
  body: string;
  response: RecordedResponse;
}

const { recordings } = JSON.parse(
  readFileSync(new URL('./fastapi/recordings.json', import.meta.url), 'utf8'),
) as { recordings: Recording[] };

const stringType = (input: unknown) => ({
  detail: [
    { type: 'string_type', loc: ['body', 'ping'], msg: 'Input should be a valid string', input },
  ],
});
const latin1 = {
  status: 415,
  allow: null,
  body: { detail: 'Unsupported charset "latin1": send JSON as utf-8' },
};

/** The responses that differ from FastAPI's, and why. */
const DIFFERENT: Record<string, RecordedResponse> = {
  // FastAPI returns 500 because it can't encode these three values in its response. Here, a lone
  // surrogate is echoed, NaN is not JSON, and a number too large for a double is returned as null.
  'ping "\\ud800"': {
    status: 200,
    allow: null,
    body: {
      status: 'ok',
      message: 'PetSage system is operational.',
      pong: '\ud800',
      timestamp: 'T',
    },
  },
  'ping NaN': {
    status: 422,
    allow: null,
    body: {
      detail: [
        {
          type: 'json_invalid',
          loc: ['body', 8],
          msg: 'JSON decode error',
          input: {},
          ctx: { error: 'Expecting value' },
        },
      ],
    },
  },
  'ping 1e400': { status: 422, allow: null, body: stringType(null) },
  // JSON between systems is UTF-8 (RFC 8259). FastAPI detects UTF-16 and ignores the charset.
  'UTF-16': { status: 400, allow: null, body: { detail: 'There was an error parsing the body' } },
  'application/json; charset=latin1 {"ping":"a"}': latin1,
  'application/json; charset=latin1 ping=a': latin1,
  // FastAPI decodes a path before it matches the route.
  'GET /smoke%2Dtest': { status: 404, allow: null, body: { detail: 'Not Found' } },
  'GET /smoke-test%2F': { status: 404, allow: null, body: { detail: 'Not Found' } },
  // FastAPI redirects a path with a trailing slash.
  'GET /smoke-test/': {
    status: 200,
    allow: null,
    body: { status: 'ok', feature: 'smoke_test', message: 'PetSage builder is functional!' },
  },
};

/**
 * Prepares a response for the comparison. FastAPI's `Allow` omits HEAD, which it does not support,
 * and timestamps differ.
 */
function normalize({ status, allow, body }: RecordedResponse): RecordedResponse {
  // As text, because the order of the keys is part of the contract.
  const text = JSON.stringify(body).replace(/"timestamp":"[^"]+Z"/, '"timestamp":"T"');
  return { status, allow: allow === 'GET' ? 'GET, HEAD' : allow, body: text };
}

describe('a request that FastAPI was sent', () => {
  let app: TestApp['app'];

  beforeAll(async () => {
    ({ app } = await createTestApp());
  });

  it.each(recordings)('gets the recorded response: $name', async (recording) => {
    const method = recording.method.toLowerCase() as 'get';
    const { status, headers, text } = await request(app.getHttpServer())
      [method](recording.path)
      .set(recording.headers)
      // Without this, superagent would encode a buffer as JSON.
      .serialize((body: string) => body)
      .send(Buffer.from(recording.body, 'base64'));
    const actual = { status, allow: headers.allow ?? null, body: JSON.parse(text) as unknown };
    const expected = DIFFERENT[recording.name] ?? recording.response;
    expect(normalize(actual)).toEqual(normalize(expected));
  });

  it('is recorded for each entry of DIFFERENT', () => {
    const names = recordings.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(Object.keys(DIFFERENT)));
  });
});
