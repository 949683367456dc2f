import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify, stripVTControlCharacters } from 'node:util';
import { jest } from '@jest/globals';
import { findFreePort } from './fixtures/free-port.js';
import { copyProject } from './fixtures/project.js';
import { waitFor as waitForCondition } from './fixtures/wait-for.js';

// Each save compiles the project and starts a process.
jest.setTimeout(600_000);

/** The first compilation takes long on a busy machine. */
const WAIT_LIMIT_MS = 240_000;

const PROJECT_FILES = [
  '.prettierrc',
  'nest-cli.json',
  'openapi.json',
  'package.json',
  'packages',
  'scripts',
  'src',
  'tsconfig.json',
  'tsconfig.build.json',
  'tsconfig.dev.json',
];

const CONTROLLER = 'src/features/watched/watched.controller.ts';

const MODULE_FILE = 'src/features/watched/watched.module.ts';

const MODULE = `
import { Module } from '@nestjs/common';
import { WatchedController } from './watched.controller.js';

@Module({ controllers: [WatchedController] })
export class WatchedModule {}
`;

/** Returns the source of a controller that responds with a string, and has a statement on line 6. */
function createController(text: string, statement = ''): string {
  return `import { Controller, Get } from '@nestjs/common';

@Controller('watched')
export class WatchedController {
  constructor() {
    ${statement}
  }

  @Get()
  read(): string {
    return '${text}';
  }
}
`;
}

describe('npm run start:dev', () => {
  let project: string;
  let url: string;
  let watcher: ChildProcess;
  let output = '';

  /** Saves a file as most editors do: writes a temporary file, and renames it. */
  async function save(path: string, content: string): Promise<void> {
    const file = join(project, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(`${file}~`, content);
    await rename(`${file}~`, file);
  }

  async function read(path: string): Promise<string | undefined> {
    const response = await fetch(url + path).catch(() => undefined);
    return response?.text();
  }

  async function waitFor(condition: () => boolean | Promise<boolean>): Promise<void> {
    await waitForCondition(condition, WAIT_LIMIT_MS).catch((error: unknown) => {
      throw new Error(`The output was:\n${output}`, { cause: error });
    });
  }

  async function waitForText(text: string): Promise<void> {
    await waitFor(async () => (await read('/watched')) === text);
  }

  async function waitForOutput(text: string | RegExp): Promise<void> {
    await waitFor(() => output.search(text) !== -1);
  }

  function run(...args: string[]) {
    return promisify(execFile)('npm', ['run', '--silent', ...args], { cwd: project });
  }

  beforeAll(async () => {
    project = await copyProject(PROJECT_FILES);
    const PORT = String(await findFreePort());
    url = `http://127.0.0.1:${PORT}`;
    watcher = spawn('npm', ['run', 'start:dev'], {
      cwd: project,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, HOST: '127.0.0.1', PORT },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own, so that a signal reaches all its processes, as Ctrl-C does.
      detached: true,
    });
    for (const stream of [watcher.stdout, watcher.stderr]) {
      stream?.setEncoding('utf8').on('data', (data: string) => {
        output += stripVTControlCharacters(data);
      });
    }
    await waitFor(async () => (await read('/system/healthz')) !== undefined);
  });

  beforeEach(async () => {
    await save(CONTROLLER, createController('initial'));
    if (!existsSync(join(project, MODULE_FILE))) await save(MODULE_FILE, MODULE);
    await waitForText('initial');
    output = '';
  });

  afterAll(async () => {
    if (watcher.exitCode !== null || watcher.signalCode !== null) return;
    const exit = once(watcher, 'exit');
    kill('SIGKILL');
    await exit;
  });

  function kill(signal: NodeJS.Signals): void {
    if (watcher.pid !== undefined) process.kill(-watcher.pid, signal);
  }

  it('serves each of ten saves', async () => {
    for (let n = 1; n <= 10; n++) {
      await save(CONTROLLER, createController(`save ${n}`));
      await waitForText(`save ${n}`);
    }
  });

  it('serves the last of several saves in quick succession', async () => {
    for (let n = 1; n <= 10; n++) {
      await save(CONTROLLER, createController(`save ${n}`));
      // The saves are at different times of a compilation.
      await setTimeout(100 * n);
    }
    await waitForText('save 10');
  });

  it('reports a compile error, serves the previous version, and then the next save', async () => {
    await save(CONTROLLER, createController('broken', 'const x: number = "text";'));
    await waitForOutput(/watched\.controller\.ts:6:11.* error.*TS2322/s);
    await waitForText('initial');
    await save(CONTROLLER, createController('fixed'));
    await waitForText('fixed');
  });

  it('reports an error of a constructor with its line, and serves the next save', async () => {
    await save(CONTROLLER, createController('broken', 'throw new Error("No database");'));
    await waitForOutput(
      /Error: No database\n.*src\/features\/watched\/watched\.controller\.ts:6:/s,
    );
    await save(CONTROLLER, createController('fixed'));
    await waitForText('fixed');
  });

  it('serves saves during and after a build', async () => {
    const build = run('build');
    await save(CONTROLLER, createController('during'));
    await waitForText('during');
    await build;
    await save(CONTROLLER, createController('after'));
    await waitForText('after');
  });

  it('serves a generated feature, and stops serving it when it is removed', async () => {
    const isServed = async () => (await read('/openapi.json'))?.includes('"/kennel-guest');
    await run('feature', '--', 'kennel_guest', '--description', 'Profiles of pets');
    await waitFor(async () => (await isServed()) === true);
    await run('feature', '--', '--remove', 'kennel_guest');
    await waitFor(async () => (await isServed()) === false);
  });

  it('stops serving a feature whose folder is deleted', async () => {
    await rm(join(project, 'src/features/watched'), { recursive: true });
    await waitFor(async () => (await read('/watched'))?.includes('Not Found') === true);
  });

  it('releases the port on SIGINT', async () => {
    const exit = once(watcher, 'exit');
    kill('SIGINT');
    await exit;
    await waitFor(async () => (await read('/system/healthz')) === undefined);
  });
});
