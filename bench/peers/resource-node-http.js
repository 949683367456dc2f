// The pet profiles on node:http and pg without a framework, and without validation: the reference for all other servers.
import { createServer } from 'node:http';
import pg from 'pg';
import { v7 as createId } from 'uuid';

const PATH = '/api/v1/pet-profiles';
const LIMIT = 20;

pg.types.setTypeParser(pg.types.builtins.DATE, (text) => text);

const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  max: Number(process.env.DATABASE_POOL_SIZE),
});

createServer((request, response) => {
  handle(request, response).catch((error) => {
    console.error(error);
    send(response, 500, { detail: 'Internal Server Error' });
  });
}).listen(Number(process.env.PORT), '127.0.0.1');

async function handle(request, response) {
  const { method, url } = request;
  if (url.startsWith(`${PATH}/`)) {
    const id = url.slice(PATH.length + 1);
    if (method === 'GET') return sendPetProfile(response, 200, await find(id));
    if (method === 'PATCH') {
      return sendPetProfile(response, 200, await update(id, await readJson(request)));
    }
  } else if (url === PATH) {
    if (method === 'GET') return send(response, 200, await list());
    if (method === 'POST') {
      return sendPetProfile(response, 201, await create(await readJson(request)));
    }
  } else if (url === '/system/healthz') {
    return send(response, 200, { status: 'ok' });
  }
  return send(response, 404, { detail: 'Not Found' });
}

async function create({ name, kind, birthday, weight, tags }) {
  const now = new Date();
  const { rows } = await pool.query(
    `insert into pet_profiles (id, version, created_at, updated_at, name, kind, birthday, weight, tags)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning *`,
    [createId(), 1, now, now, name, kind, birthday, weight, JSON.stringify(tags)],
  );
  return rows[0];
}

async function find(id) {
  const { rows } = await pool.query('select * from pet_profiles where id = $1', [id]);
  return rows[0];
}

async function list() {
  const { rows } = await pool.query('select * from pet_profiles order by id desc limit $1', [
    LIMIT + 1,
  ]);
  const lastRow = rows.length > LIMIT ? rows[LIMIT - 1] : undefined;
  return {
    items: rows.slice(0, LIMIT).map(toPetProfile),
    nextCursor: lastRow
      ? Buffer.from(JSON.stringify([PATH, null, lastRow.id])).toString('base64url')
      : null,
  };
}

async function update(id, changes) {
  const values = { updated_at: new Date(), ...changes };
  if (values.tags) values.tags = JSON.stringify(values.tags);
  const names = Object.keys(values);
  const assignments = names.map((name, index) => `${name} = $${index + 1}`).join(', ');
  const { rows } = await pool.query(
    `update pet_profiles set ${assignments}, version = version + 1
      where id = $${names.length + 1} returning *`,
    [...Object.values(values), id],
  );
  return rows[0];
}

function toPetProfile(row) {
  return {
    id: row.id,
    name: row.name,
    kind: row.kind,
    birthday: row.birthday,
    weight: row.weight,
    tags: row.tags,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}

function sendPetProfile(response, status, row) {
  if (row) send(response, status, toPetProfile(row));
  else send(response, 404, { detail: 'Pet profile not found' });
}

async function readJson(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks));
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
