// npm run test:clients [-- LANGUAGE...]: generates a client in each language with the commands in
// docs/clients.md, and runs the program in test/clients/LANGUAGE against the built service, without discovered
// features.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createProjectCopy, linkDependencies } from '../fixtures/project-copy.js';

/** The program that the commands of a language need. */
const PROGRAMS = new Map([
  ['typescript', 'npm'],
  ['java', 'mvn'],
  ['python', 'python3'],
  ['go', 'go'],
]);

const requested = process.argv.slice(2);
for (const language of requested) {
  if (PROGRAMS.has(language)) continue;
  console.error(`Unknown language: ${language}. Choose from: ${[...PROGRAMS.keys()].join(', ')}`);
  process.exit(2);
}

const build = await createProjectCopy('petsage-build-', ['package.json', 'dist']);
await linkDependencies(build);
const service = spawn(process.execPath, ['dist/main.js'], {
  cwd: build,
  env: { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: '0', SHUTDOWN_DELAY_MS: '0' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  const url = await readUrl();
  service.stdout.resume();
  for (const [language, program] of PROGRAMS) {
    if (requested.length > 0 && !requested.includes(language)) continue;
    if (spawnSync(program, ['--version']).error) {
      console.log(`${language}: skipped, ${program} is not installed`);
      // A language that was asked for must run.
      if (requested.length > 0) process.exitCode = 1;
    } else if (!(await testClient(language, url))) {
      process.exitCode = 1;
    }
  }
} finally {
  service.kill();
  rmSync(build, { recursive: true });
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
 * @param {string} url
 */
async function testClient(language, url) {
  const section = new RegExp(`^## ${language}$.*?^\`\`\`sh\n(.*?)^\`\`\``, 'ims');
  const commands = section.exec(readFileSync('docs/clients.md', 'utf8'))?.[1];
  if (!commands) throw new Error(`docs/clients.md: expected commands for ${language}`);
  const folder = mkdtempSync(join(tmpdir(), `petsage-${language}-`));
  try {
    cpSync(join('test/clients', language), folder, { recursive: true });
    copyFileSync('openapi.json', join(folder, 'openapi.json'));
    const startMs = performance.now();
    const shell = spawn('sh', ['-exc', commands], {
      cwd: folder,
      env: { ...process.env, PETSAGE_URL: url },
      stdio: 'inherit',
    });
    const [code] = await once(shell, 'close');
    const seconds = Math.round((performance.now() - startMs) / 1000);
    console.log(`${language}: ${code === 0 ? 'passed' : 'failed'} in ${seconds} s`);
    return code === 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
