// The two routes and the features on node:http without a framework: the reference for all other servers.
import { createServer } from 'node:http';
import { listFeatures } from './features.js';

const missing = (body) => ({
  type: 'missing',
  loc: ['body', 'ping'],
  msg: 'Field required',
  input: body,
});
const notString = (ping) => ({
  type: 'string_type',
  loc: ['body', 'ping'],
  msg: 'Input should be a valid string',
  input: ping,
});

/** The handlers by path and method. */
const routes = new Map([
  [
    '/system/healthz',
    {
      GET: (request, response) =>
        send(response, 200, { status: 'ok', message: 'PetSage API is alive and running!' }),
    },
  ],
  [
    '/api/v1/system/smoke-test',
    {
      POST: handlePing((ping) => ({
        status: 'ok',
        message: 'PetSage system is operational.',
        pong: ping,
        timestamp: new Date().toISOString(),
      })),
    },
  ],
]);

for (const { name, path } of listFeatures()) {
  routes.set(`${path}/smoke-test`, {
    GET: (request, response) =>
      send(response, 200, {
        status: 'ok',
        feature: name,
        message: `PetSage ${name} is functional!`,
      }),
  });
  routes.set(path, { POST: handlePing((ping) => ({ ping })) });
}

createServer((request, response) => {
  const handle = routes.get(request.url)?.[request.method];
  if (handle) handle(request, response);
  else send(response, 404, { detail: 'Not Found' });
}).listen(Number(process.env.PORT), '127.0.0.1');

/** Creates a handler that validates the body and responds with what `createBody` returns. */
function handlePing(createBody) {
  return (request, response) => {
    readJson(request, (error, body) => {
      const ping = body?.ping;
      if (error) send(response, 400, { detail: 'Bad Request' });
      else if (ping === undefined) send(response, 422, { detail: [missing(body)] });
      else if (typeof ping !== 'string') send(response, 422, { detail: [notString(ping)] });
      else send(response, 200, createBody(ping));
    });
  };
}

function readJson(request, done) {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('error', done);
  request.on('end', () => {
    let body;
    try {
      body = JSON.parse(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    } catch (error) {
      done(error);
      return;
    }
    done(undefined, body);
  });
}

function send(response, status, body) {
  const json = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(json),
  });
  // Node.js sends a string body together with the headers, in one write.
  response.end(json);
}
