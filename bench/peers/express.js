// The two routes on Express, with express.json() and a hand-written check.
import express from 'express';

const app = express();
app.use(express.json());

app.get('/system/healthz', (request, response) => {
  response.json({ status: 'ok', message: 'PetSage API is alive and running!' });
});

app.post('/api/v1/system/smoke-test', (request, response) => {
  const ping = request.body?.ping;
  if (typeof ping === 'string') {
    response.json({
      status: 'ok',
      message: 'PetSage system is operational.',
      pong: ping,
      timestamp: new Date().toISOString(),
    });
    return;
  }
  const [type, msg, input] =
    ping === undefined
      ? ['missing', 'Field required', request.body]
      : ['string_type', 'Input should be a valid string', ping];
  response.status(422).json({ detail: [{ type, loc: ['body', 'ping'], msg, input }] });
});

app.listen(Number(process.env.PORT), '127.0.0.1');
