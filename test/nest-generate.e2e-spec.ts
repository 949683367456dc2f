import { execFile, type ExecFileException } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import type { OpenAPIObject, OperationObject } from '@nestjs/swagger';
import { startService, stopService } from './fixtures/process.js';
import { copyProject } from './fixtures/project.js';

// Each test runs several compilers and linters.
jest.setTimeout(600_000);

let project: string;

/** Runs a command in the copy of the project, and rejects with its output if it fails. */
function run(command: string, ...args: string[]): Promise<string> {
  return new Promise((done, reject) => {
    const options = { cwd: project, maxBuffer: 64 * 1024 ** 2 };
    const callback = (error: ExecFileException | null, stdout: string, stderr: string) => {
      if (error) reject(new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`));
      else done(stdout + stderr);
    };
    // Without standard input, Nest's CLI does not ask for missing options.
    execFile(command, args, options, callback).stdin?.end();
  });
}

beforeAll(async () => {
  project = await copyProject();
  for (const name of ['ferrets', 'features/keepers']) {
    await run('npx', 'nest', 'generate', 'resource', name, '--type', 'rest', '--crud');
  }
});

describe('nest generate resource', () => {
  it('generates code that passes the checks', async () => {
    // The parts of npm run check:fix and npm run check that can fail because of a generated file.
    const folders = ['src/ferrets', 'src/features/keepers'];
    await run('npx', 'prettier', '--write', ...folders);
    await run('npx', 'eslint', '--fix', ...folders, 'src/app.module.ts');
    await run('npm', 'run', 'openapi');
    await run('npm', 'run', 'lint:types');
    await run('npm', 'run', 'lint:deps');
  });

  it('generates unit tests that pass', async () => {
    const output = await run('npm', 'run', 'test:unit', '--', 'src/ferrets', 'features/keepers');
    expect(output).toContain('Tests:       4 passed, 4 total');
  });

  it('generates handlers with unique operation ids', async () => {
    const { paths } = JSON.parse(
      await readFile(join(project, 'openapi.json'), 'utf8'),
    ) as OpenAPIObject;
    const operations = Object.values(paths).flatMap(
      (path) => Object.values(path) as OperationObject[],
    );
    const ids = operations.map(({ operationId }) => operationId);
    expect(ids).toEqual([...new Set(ids)]);
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining(['/ferrets', '/ferrets/{id}', '/keepers', '/keepers/{id}']),
    );
  });

  it('generates a service that starts and passes the smoke runner', async () => {
    await run('npm', 'run', 'build');
    const service = await startService({ cwd: project });
    const ferrets = await fetch(`${service.url}/ferrets`);
    expect(await ferrets.text()).toBe('This action returns all ferrets');
    const keeper = await fetch(`${service.url}/keepers/7`, { method: 'DELETE' });
    expect(await keeper.text()).toBe('This action removes a #7 keeper');
    expect(
      await run(process.execPath, 'packages/smoke-runner/dist/main.js', service.url),
    ).toContain('GET /ferrets');
    await stopService(service);
  });
});
