// npm run test:image: replaces containers of the image under load, with features that store rows and photos and run jobs.
import { randomUUID } from 'node:crypto';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  BUILD_TIMEOUT_MS,
  buildImage,
  docker,
  LOCKED_DOWN,
  readLog,
  requireDocker,
  startContainer,
} from './fixtures/docker.js';
import { findFreePort } from './fixtures/free-port.js';
import { Issuer } from './fixtures/issuer.js';
import { LoadBalancer } from './fixtures/load-balancer.js';
import type { LogRecord } from './fixtures/log-records.js';
import { LoadReport, PetOwner } from './fixtures/pet-owner.js';
import { PostgresServer } from './fixtures/postgres-server.js';
import { createProjectCopy } from './fixtures/project-copy.js';
import { readFeature } from './fixtures/project.js';
import { RemindersDatabase } from './fixtures/reminders.js';

const IMAGE = 'petsage-api:test-tutorial';

const VOLUME = `petsage-api-test-${randomUUID()}`;

const MOUNT = ['--mount', `type=volume,src=${VOLUME},dst=/photos`];

/** The addresses of the replicas. No connection uses one as its source, so their port stays free. */
const HOSTS = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];

const OWNERS = ['alice', 'bob', 'carol'];

const CLIENTS_PER_OWNER = 4;

const DAY_MS = 24 * 3_600_000;

/** Both are due at 03:00 each day. */
const JOBS = ['reminders', 'vaccination-reminders'];

/** The roles of docs/deployment.md. */
const ROLES = `
  create role petsage_migrate login;
  create role petsage_api login;
  alter role petsage_api set statement_timeout = '4500ms';
  alter role petsage_api set idle_in_transaction_session_timeout = '10s';
`;

const PRIVILEGES = `
  alter default privileges for role petsage_migrate
    grant select, insert, update, delete on tables to petsage_api;
`;

interface Replica {
  /** The name of the host and of the connections to the database. */
  name: string;
  host: string;
  id: string;
}

const server = new PostgresServer();
const report = new LoadReport();
/** In the order in which they were started. */
const running: Replica[] = [];
const stopped: Replica[] = [];
const exitCodes: string[] = [];
let started = 0;
let dueTimes = 0;
let port: number;
let issuer: Issuer;
let reminders: RemindersDatabase;
let loadBalancer: LoadBalancer;
let owners: PetOwner[];
let log: LogRecord[];

beforeAll(async () => {
  await requireDocker();
  issuer = await Issuer.start();
  await Promise.all([buildProject(), createDatabase()]);
  await docker('volume', 'create', VOLUME);
  await docker('run', '--rm', '--user', '0', ...MOUNT, IMAGE, 'chown', '1000:1000', '/photos');
  await migrate();
  port = await findFreePort();
  for (const host of HOSTS) running.push(await startReplica(host));
  loadBalancer = await LoadBalancer.start(HOSTS.map((host) => `${host}:${port}`));
  await waitForJobs();
  owners = await createOwners();
  const startedAt = Date.now();
  for (const [index, owner] of owners.entries()) owner.start(owners.at(index - 1) ?? owner);
  try {
    while (stopped.length < HOSTS.length) await replaceReplica();
  } finally {
    await Promise.all(owners.map((owner) => owner.stop()));
  }
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  await advanceToDueTime();
  await waitForJobs();
  log = (await Promise.all([...stopped, ...running].map(({ id }) => readLog(id)))).flat();
  const { served, lost } = report;
  const longestMs = Math.round(report.longestMs);
  const retries = await loadBalancer.countRetries();
  const summary = { seconds, served, lost: lost.length, retries, longestMs, dueTimes };
  process.stdout.write(`Rolling replacement with a database: ${JSON.stringify(summary)}\n`);
}, BUILD_TIMEOUT_MS);

afterAll(async () => {
  await docker('volume', 'rm', '--force', VOLUME);
  await server.remove();
});

async function buildProject(): Promise<void> {
  const project = await createProjectCopy('petsage-tutorial-');
  try {
    await cp('test/fixtures/tutorial/src', join(project, 'src'), { recursive: true });
    for (const [path, text] of Object.entries(await readFeature('reminders'))) {
      await mkdir(dirname(join(project, path)), { recursive: true });
      await writeFile(join(project, path), text.replace('*/10 * * * *', '0 3 * * *'));
    }
    await buildImage(IMAGE, project);
  } finally {
    await rm(project, { recursive: true });
  }
}

async function createDatabase(): Promise<void> {
  await server.start();
  await server.query(ROLES);
  const url = await server.createDatabase();
  await server.query(`alter database ${new URL(url).pathname.slice(1)} owner to petsage_migrate`);
  await server.query(PRIVILEGES, url);
  reminders = new RemindersDatabase(server, url);
  await reminders.create('petsage_migrate');
}

/** Applies the migrations as a job before the replicas start. */
async function migrate(): Promise<void> {
  const url = createDatabaseUrl('petsage_migrate', 'migrate');
  const options = [...createOptions('migrate'), '--env', `DATABASE_MIGRATE_URL=${url}`];
  await docker('run', '--rm', ...options, IMAGE, 'node', 'dist/migrate.js');
}

async function startReplica(host: string): Promise<Replica> {
  started += 1;
  const name = `replica-${started}`;
  const address = ['--env', `HOST=${host}`, '--env', `PORT=${port}`];
  return { name, host, id: await startContainer(IMAGE, ...createOptions(name), ...address) };
}

/** Creates the options of a container on the network of the host, because PostgreSQL and the issuer listen there. */
function createOptions(name: string): string[] {
  const settings = {
    ...issuer.settings,
    DATABASE_URL: createDatabaseUrl('petsage_api', name),
    DATABASE_POOL_SIZE: '4',
    PHOTOS_DIR: '/photos',
  };
  return [
    ...LOCKED_DOWN,
    ...['--network', 'host', '--hostname', name],
    ...MOUNT,
    ...Object.entries(settings).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
  ];
}

function createDatabaseUrl(role: string, applicationName: string): string {
  const url = new URL(reminders.url);
  url.username = role;
  url.searchParams.set('application_name', applicationName);
  return url.href;
}

async function createOwners(): Promise<PetOwner[]> {
  const otherIssuer = await Issuer.start();
  const invalidTokens = [
    await issuer.createToken({ exp: -60 }),
    await otherIssuer.createToken({ iss: issuer.url }),
  ];
  return Promise.all(
    OWNERS.map(async (name) => {
      const token = await issuer.createToken({ sub: name, exp: 600 });
      const owner = new PetOwner(name, loadBalancer.url, token, invalidTokens, report);
      await owner.prepare(CLIENTS_PER_OWNER);
      return owner;
    }),
  );
}

/** Stops a replica while a job is run, by itself unless it is a new one, and starts another while jobs are due. */
async function replaceReplica(): Promise<void> {
  const runs = await reminders.readEvents('started');
  await reminders.setGate('closed');
  await advanceToDueTime();
  await reminders.waitForRun(runs.length + 1);
  const job = await reminders.readJob();
  const old = running.slice(0, HOSTS.length - stopped.length);
  const owner = old.findIndex(({ name }) => job?.owner?.startsWith(`${name}/`));
  const [replica] = running.splice(Math.max(owner, 0), 1);
  if (replica === undefined) throw new Error('No replica is running');
  stopped.push(replica);
  await docker('stop', '-t', '40', replica.id);
  exitCodes.push(await docker('wait', replica.id));
  await reminders.setGate('open');
  await waitForJobs();
  running.push(await startReplica(replica.host));
  await advanceToDueTime();
  await waitForJobs();
  await loadBalancer.waitUntilAllUp();
}

async function advanceToDueTime(): Promise<void> {
  dueTimes += 1;
  // Soon after it: the clock does not move by itself.
  await reminders.setTime(new Date(getDueTime(dueTimes).getTime() + 1000));
}

/** Waits until all jobs are done for the last due time. */
async function waitForJobs(): Promise<void> {
  for (const name of JOBS) await reminders.waitForDueTime(getDueTime(dueTimes + 1), name);
}

function getDueTime(number: number): Date {
  return new Date(Date.parse('2026-12-31T03:00:00Z') + number * DAY_MS);
}

describe('a replacement of containers one by one under load', () => {
  it('loses no request', () => {
    expect(report.lost).toEqual([]);
    expect(Object.keys(report.served).sort()).toEqual([
      'change 200',
      'change 412',
      'create 201',
      'create a vaccination 201',
      'download 200',
      'find 200',
      'find a foreign pet 404',
      'find a foreign photo 404',
      'read a page 200',
      'send an invalid token 401',
      'upload 204',
    ]);
  });

  it('responds with what was written, and only to its owner', () => {
    expect(report.wrong).toEqual([]);
  });

  it('stores each acknowledged write once', async () => {
    const stored = await Promise.all(owners.map((owner) => owner.readStored()));
    expect(stored).toEqual(owners.map((owner) => owner.getAcknowledged()));
  });

  it('runs each job once for each due time', async () => {
    const finished = await reminders.readEvents('finished');
    const expected = Array.from({ length: dueTimes }, (_, index) => getDueTime(index + 1));
    expect(finished.map(({ due_at }) => due_at)).toEqual(expected);
    for (const name of JOBS) {
      const runs = log.filter(({ job, outcome }) => job === name && outcome === 'success');
      expect(runs.map(({ dueAt }) => dueAt).sort()).toEqual(expected.map((time) => time.toJSON()));
    }
  });

  it('runs a job again if its replica was stopped', async () => {
    const interrupted = log.filter(
      ({ job, outcome }) => job === 'reminders' && outcome === 'interrupted',
    );
    expect(interrupted.length).toBeGreaterThan(0);
    expect((await reminders.readEvents('started')).length).toBe(dueTimes + interrupted.length);
  });

  it('reminds once of each vaccination', async () => {
    const rows = (await server.query(
      'select vaccination from vaccination_reminders',
      reminders.url,
    )) as { vaccination: string }[];
    const vaccinations = owners.flatMap((owner) => owner.getAcknowledged().vaccinations);
    expect(rows.map(({ vaccination }) => vaccination).sort()).toEqual(vaccinations.sort());
  });

  it('ends containers with code 0, which log warnings only of interrupted jobs', () => {
    expect(exitCodes).toEqual(['0', '0', '0']);
    const unexpected = log.filter(
      ({ level, job }) => level !== 'info' && !(level === 'warn' && JOBS.includes(String(job))),
    );
    expect(unexpected).toEqual([]);
  });

  it('closes the connections to the database of replaced containers', async () => {
    const rows = (await server.query(
      "select distinct application_name from pg_stat_activity where usename like 'petsage%' order by 1",
      reminders.url,
    )) as { application_name: string }[];
    expect(rows.map(({ application_name }) => application_name)).toEqual(
      running.map(({ name }) => name),
    );
  });
});
