// The two routes on Fastify, with schemas for requests and responses, and one plugin per feature.
import Fastify from 'fastify';
import { listFeatures } from './features.js';

const text = { type: 'string' };
const okBody = (properties) => ({
  200: { type: 'object', properties, required: Object.keys(properties) },
});
const pingBody = () => ({ type: 'object', required: ['ping'], properties: { ping: text } });

// By default, Ajv coerces a number to a string. The contract requires a validation error.
const app = Fastify({ ajv: { customOptions: { coerceTypes: false } } });

app.setErrorHandler((error, request, reply) => {
  const [failure] = error.validation ?? [];
  if (!failure) return reply.status(error.statusCode ?? 500).send({ detail: error.message });
  const [type, msg, input] =
    failure.keyword === 'required'
      ? ['missing', 'Field required', request.body]
      : ['string_type', 'Input should be a valid string', request.body.ping];
  return reply.status(422).send({ detail: [{ type, loc: ['body', 'ping'], msg, input }] });
});

app.get(
  '/system/healthz',
  { schema: { response: okBody({ status: text, message: text }) } },
  async () => ({ status: 'ok', message: 'PetSage API is alive and running!' }),
);

app.post(
  '/api/v1/system/smoke-test',
  {
    schema: {
      body: pingBody(),
      response: okBody({ status: text, message: text, pong: text, timestamp: text }),
    },
  },
  async (request) => ({
    status: 'ok',
    message: 'PetSage system is operational.',
    pong: request.body.ping,
    timestamp: new Date().toISOString(),
  }),
);

for (const { name, path } of listFeatures()) {
  app.register(
    async (feature) => {
      feature.get(
        '/smoke-test',
        { schema: { response: okBody({ status: text, feature: text, message: text }) } },
        async () => ({ status: 'ok', feature: name, message: `PetSage ${name} is functional!` }),
      );
      feature.post(
        '/',
        { schema: { body: pingBody(), response: okBody({ ping: text }) } },
        async (request) => ({ ping: request.body.ping }),
      );
    },
    { prefix: path },
  );
}

await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
