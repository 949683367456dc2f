// The two routes on node:http without a framework: the reference for all other servers.
import { createServer } from 'node:http';

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

createServer((request, response) => {
  if (request.method === 'GET' && request.url === '/system/healthz') {
    send(response, 200, { status: 'ok', message: 'PetSage API is alive and running!' });
  } else if (request.method === 'POST' && request.url === '/api/v1/system/smoke-test') {
    readJson(request, (error, body) => {
      if (error) send(response, 400, { detail: 'Bad Request' });
      else smokeTest(body, response);
    });
  } else {
    send(response, 404, { detail: 'Not Found' });
  }
}).listen(Number(process.env.PORT), '127.0.0.1');

function smokeTest(body, response) {
  const ping = body?.ping;
  if (ping === undefined) {
    send(response, 422, { detail: [missing(body)] });
  } else if (typeof ping !== 'string') {
    send(response, 422, { detail: [notString(ping)] });
  } else {
    send(response, 200, {
      status: 'ok',
      message: 'PetSage system is operational.',
      pong: ping,
      timestamp: new Date().toISOString(),
    });
  }
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
