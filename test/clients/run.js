// npm run test:clients [-- LANGUAGE...]: generates clients in each language with the commands in docs/clients.md,
// and runs them against a service without discovered features:
// - the program in test/clients/LANGUAGE, with the committed openapi.json
// - the program in test/clients/authentication/LANGUAGE, with the document of the service, which contains operations
//   that require a token
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { createProjectCopy, linkDependencies } from '../fixtures/project-copy.js';

/** The command that generates and runs the client of a language. */
const COMMANDS = new Map([
  ['typescript', 'npm'],
  ['java', 'mvn'],
  ['python', 'python3'],
  ['go', 'go'],
]);

const FEATURE = 'owners/owners.module.ts';

const SOURCES = [
  'nest-cli.json',
  'package.json',
  'scripts',
  'src',
  'tsconfig.json',
  'tsconfig.build.json',
];

const requested = process.argv.slice(2);
for (const language of requested) {
  if (COMMANDS.has(language)) continue;
  console.error(`Unknown language: ${language}. Choose from: ${[...COMMANDS.keys()].join(', ')}`);
  process.exit(2);
}

const env = { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: '0', SHUTDOWN_DELAY_MS: '0' };
const project = await createProject();
const token = execFileSync(process.execPath, ['scripts/token.js', '--sub', 'alice'], {
  cwd: project,
  env,
  encoding: 'utf8',
}).trim();
const service = spawn(process.execPath, ['dist/main.js'], {
  cwd: project,
  env,
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  const url = await readUrl();
  service.stdout.resume();
  const committed = readFileSync('openapi.json', 'utf8');
  const served = await (await fetch(`${url}/openapi.json`)).text();
  for (const [language, command] of COMMANDS) {
    if (requested.length > 0 && !requested.includes(language)) continue;
    if (spawnSync(command, ['--version']).error) {
      console.log(`${language}: skipped, ${command} is not installed`);
      // A language that was asked for must run.
      if (requested.length > 0) process.exitCode = 1;
      continue;
    }
    const results = [
      await testClient(language, language, committed, url),
      await testClient(language, `authentication/${language}`, served, url),
    ];
    if (results.includes(false)) process.exitCode = 1;
  }
} finally {
  service.kill();
  rmSync(project, { recursive: true });
}

/** Creates and builds a copy of the project with a feature whose operations require a token. */
async function createProject() {
  const folder = await createProjectCopy('petsage-clients-', SOURCES);
  await linkDependencies(folder);
  const source = readFileSync(`test/fixtures/features/${FEATURE}`, 'utf8');
  mkdirSync(dirname(join(folder, 'src/features', FEATURE)));
  writeFileSync(
    join(folder, 'src/features', FEATURE),
    source.replaceAll('../../../../src/platform/', '../../platform/'),
  );
  execFileSync(process.execPath, [resolve('node_modules/@nestjs/cli/bin/nest.js'), 'build'], {
    cwd: folder,
  });
  return folder;
}

/** Reads the URL of the service from its log. */
async function readUrl() {
  for await (const line of createInterface(service.stdout)) {
    const url = /Listening on (http:[^\s,"]+)/.exec(line)?.[1];
    if (url) return url;
  }
  throw new Error('The service did not start');
}

/**
 * @param {string} language
 * @param {string} program folder in test/clients
 * @param {string} document the OpenAPI document
 * @param {string} url
 */
async function testClient(language, program, document, url) {
  const section = new RegExp(`^## ${language}$.*?^\`\`\`sh\n(.*?)^\`\`\``, 'ims');
  const commands = section.exec(readFileSync('docs/clients.md', 'utf8'))?.[1];
  if (!commands) throw new Error(`docs/clients.md: expected commands for ${language}`);
  const folder = mkdtempSync(join(tmpdir(), `petsage-${language}-`));
  try {
    cpSync(join('test/clients', language), folder, { recursive: true });
    cpSync(join('test/clients', program), folder, { recursive: true });
    writeFileSync(join(folder, 'openapi.json'), document);
    const startMs = performance.now();
    const shell = spawn('sh', ['-exc', commands], {
      cwd: folder,
      env: { ...process.env, PETSAGE_URL: url, PETSAGE_TOKEN: token },
      stdio: 'inherit',
    });
    const [code] = await once(shell, 'close');
    const seconds = Math.round((performance.now() - startMs) / 1000);
    console.log(`${program}: ${code === 0 ? 'passed' : 'failed'} in ${seconds} s`);
    return code === 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
