// The two routes on Express, with express.json() and a hand-written check, and one router per feature.
import express from 'express';
import { listFeatures } from './features.js';

const app = express();
app.use(express.json());

app.get('/system/healthz', (request, response) => {
  response.json({ status: 'ok', message: 'PetSage API is alive and running!' });
});

app.post('/api/v1/system/smoke-test', validatePing, (request, response) => {
  response.json({
    status: 'ok',
    message: 'PetSage system is operational.',
    pong: request.body.ping,
    timestamp: new Date().toISOString(),
  });
});

for (const { name, path } of listFeatures()) {
  const router = express.Router();
  router.get('/smoke-test', (request, response) => {
    response.json({ status: 'ok', feature: name, message: `PetSage ${name} is functional!` });
  });
  router.post('/', validatePing, (request, response) => {
    response.json({ ping: request.body.ping });
  });
  app.use(path, router);
}

app.listen(Number(process.env.PORT), '127.0.0.1');

function validatePing(request, response, next) {
  const ping = request.body?.ping;
  if (typeof ping === 'string') {
    next();
    return;
  }
  const [type, msg, input] =
    ping === undefined
      ? ['missing', 'Field required', request.body]
      : ['string_type', 'Input should be a valid string', ping];
  response.status(422).json({ detail: [{ type, loc: ['body', 'ping'], msg, input }] });
}
