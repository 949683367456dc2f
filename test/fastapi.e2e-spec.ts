import { readFileSync } from 'node:fs';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { send } from './fixtures/http.js';

interface Answer {
  status: number;
  allow: string | null;
  body: unknown;
}

interface Exchange {
  name: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  /** In base64: some are no text. */
  body: string;
  answer: Answer;
}

const { exchanges } = JSON.parse(
  readFileSync(new URL('./fastapi/answers.json', import.meta.url), 'utf8'),
) as { exchanges: Exchange[] };

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

/** Where this service answers otherwise, and why. */
const DIFFERENT: Record<string, Answer> = {
  // FastAPI fails to encode these three in its answer. No request makes a 5xx here: a lone
  // surrogate is echoed, NaN is no JSON, and a number too large for a double is quoted as null.
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
  // The five systems' FastAPI took the literal null for no body; the current one calls it a value.
  'body null': {
    status: 422,
    allow: null,
    body: { detail: [{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }] },
  },
  // JSON between systems is UTF-8 (RFC 8259). FastAPI guesses UTF-16 and ignores the charset.
  'UTF-16': { status: 400, allow: null, body: { detail: 'There was an error parsing the body' } },
  'application/json; charset=latin1 {"ping":"a"}': latin1,
  'application/json; charset=latin1 ping=a': latin1,
  // FastAPI decodes a path before it looks for the route.
  'GET /smoke%2Dtest': { status: 404, allow: null, body: { detail: 'Not Found' } },
  'GET /smoke-test%2F': { status: 404, allow: null, body: { detail: 'Not Found' } },
  // A known path with a slash behind it is answered at once, not by way of a redirect.
  'GET /smoke-test/': {
    status: 200,
    allow: null,
    body: { status: 'ok', feature: 'smoke_test', message: 'PetSage builder is functional!' },
  },
};

/** A 405 of FastAPI's leaves out HEAD, which it does not answer; timestamps are of their moment. */
function comparable({ status, allow, body }: Answer): Answer {
  // As text: the order of the keys is a part of the contract.
  const text = JSON.stringify(body).replace(/"timestamp":"[^"]+Z"/, '"timestamp":"T"');
  return { status, allow: allow === 'GET' ? 'GET, HEAD' : allow, body: text };
}

describe('the requests that were put to FastAPI', () => {
  let app: TestApp['app'];
  beforeAll(async () => {
    ({ app } = await createTestApp());
  });

  it.each(exchanges)('$name is answered as there', async (exchange) => {
    const { method, path, headers, body } = exchange;
    const answer = await send(app, method, path, headers, Buffer.from(body, 'base64'));
    expect(
      comparable({
        status: answer.status,
        allow: answer.headers.allow ?? null,
        body: JSON.parse(answer.text),
      }),
    ).toEqual(comparable(DIFFERENT[exchange.name] ?? exchange.answer));
  });

  it('are not answered as there only where it is said why', () => {
    const names = exchanges.map(({ name }) => name);
    expect(Object.keys(DIFFERENT).filter((name) => !names.includes(name))).toEqual([]);
  });
});
