import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import request from 'supertest';
import { runService, startService, stopService } from '../fixtures/process.js';
import { createProject } from '../fixtures/project.js';

const FIXTURE = 'test/fixtures/features/clinic';

let project: string;

// In a process of its own, because the module reads the environment when it is imported.
beforeAll(async () => {
  const files: Record<string, string> = {};
  for (const name of await readdir(FIXTURE)) {
    files[`src/features/clinic/${name}`] = await readFile(join(FIXTURE, name), 'utf8');
  }
  project = await createProject(files);
});

describe('ConfigModule of a feature', () => {
  it('provides validated variables, also of .env, and namespaces', async () => {
    await writeFile(join(project, '.env'), 'CLINIC_NAME=Paws\nCLINIC_HOURS=8\n');
    const service = await startService({
      cwd: project,
      env: { CLINIC_HOURS: '12', CLINIC_PHONE: '030' },
    });
    await request(service.url)
      .get('/clinic')
      .expect(200, { name: 'Paws', hours: 12, phone: '030', samePhone: '030' });
    await stopService(service);
  });

  it('aborts start-up if a variable is invalid', async () => {
    const env = { CLINIC_NAME: 'Paws', CLINIC_HOURS: '25' };
    const { code, stdout, stderr } = await runService({ cwd: project, env });
    const reason = 'property CLINIC_HOURS has failed the following constraints: max';
    expect(code).toBe(1);
    expect(stdout).not.toContain('Listening on');
    expect(stderr).toContain(reason);
  });
});
