import { runService, startService, stopService } from './fixtures/process.js';
import { createProject } from './fixtures/project.js';

/** A feature that fails at the point that an environment variable names. */
const FAULTY_MODULE = `import { Controller, Get, Module } from '@nestjs/common';

if (process.env.FAULT === 'import') {
  throw new Error('Failed to import');
}

@Controller('faulty')
class FaultyController {
  constructor() {
    if (process.env.FAULT === 'constructor') throw new Error('Failed to construct');
  }

  @Get()
  read() {
    throw new Error('Failed to read');
  }
}

@Module({ controllers: [FaultyController] })
export class FaultyModule {}
`;

const FAULTY_FILE = 'src/features/faulty/faulty.module.ts';

/** Makes Node report another version. */
function reportVersion(version: string): string {
  const versions = `{ ...process.versions, node: '${version}' }`;
  const source = `
    Object.defineProperty(process, 'versions', { value: ${versions} });
    Object.defineProperty(process, 'version', { value: 'v${version}' });`;
  return `--import=data:text/javascript,${encodeURIComponent(source)}`;
}

describe('node dist/main.js', () => {
  let project: string;

  beforeAll(async () => {
    project = await createProject({ [FAULTY_FILE]: FAULTY_MODULE });
  });

  it('prints the file and the line of an error while a feature is imported', async () => {
    const { code, stdout, stderr } = await runService({ cwd: project, env: { FAULT: 'import' } });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(
      'dist/features/faulty/faulty.module.js: the file could not be imported: Failed to import\n',
    );
    expect(stderr).toMatch(
      /\[cause\]: Error: Failed to import\n +at <anonymous> \(\S+\/src\/features\/faulty\/faulty\.module\.ts:4:9\)\n/,
    );
  });

  it('prints the line of an error in a constructor', async () => {
    const { code, stderr } = await runService({ cwd: project, env: { FAULT: 'constructor' } });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Error: Failed to construct\n {4}at new FaultyController \(/);
    expect(stderr).toContain(`/${FAULTY_FILE}:10:`);
  });

  it('logs the line of an error in a request handler', async () => {
    const service = await startService({ cwd: project });
    expect((await fetch(`${service.url}/faulty`)).status).toBe(500);
    const { stdout } = await stopService(service);
    const record = stdout.split('\n').find((line) => line.includes('Failed to read')) ?? '{}';
    const { err } = JSON.parse(record) as { err?: { stack: string } };
    expect(err?.stack).toMatch(/^Error: Failed to read\n {4}at FaultyController\.read \(/);
    expect(err?.stack).toContain(`/${FAULTY_FILE}:15:11)\n`);
  });

  it.each(['18.20.8', '20.18.3'])('rejects Node %s', async (version) => {
    const exit = await runService({ env: { NODE_OPTIONS: reportVersion(version) } });
    expect(exit).toEqual({
      code: 1,
      stdout: '',
      stderr: `PetSage API needs Node 20.19 or newer, this is v${version}\n`,
    });
  });
});
